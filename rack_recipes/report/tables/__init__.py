# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of a report and their columns."""
