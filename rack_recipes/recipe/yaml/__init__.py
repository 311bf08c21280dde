# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML with the position of each value."""
