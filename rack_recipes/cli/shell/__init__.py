# SPDX-License-Identifier: GPL-3.0-or-later

"""Completion of commands, options and names in shells."""
