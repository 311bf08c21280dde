# SPDX-License-Identifier: GPL-3.0-or-later

"""Results in a database."""
