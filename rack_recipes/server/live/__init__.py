# SPDX-License-Identifier: GPL-3.0-or-later

"""The served context in memory: writes, locks, leases and those who wait."""
