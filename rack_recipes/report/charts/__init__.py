# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts as SVG, drawn from results and their history."""
