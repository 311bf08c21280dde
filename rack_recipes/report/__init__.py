# SPDX-License-Identifier: GPL-3.0-or-later

"""From results to tables, and from tables to files."""
