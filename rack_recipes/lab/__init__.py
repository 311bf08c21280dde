# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual rack of servers and switches in network namespaces, and faults to plant in it."""
