# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers of the formats that cabling plans come in."""
