# SPDX-License-Identifier: GPL-3.0-or-later

"""Statistics for the analysis, each with its source and its rate of false alarms."""
