# SPDX-License-Identifier: GPL-3.0-or-later

"""One module for each format of a report."""
