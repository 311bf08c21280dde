# SPDX-License-Identifier: GPL-3.0-or-later

"""From YAML to a checked recipe: errors have line, column and the nearest valid word."""
