# SPDX-License-Identifier: GPL-3.0-or-later

"""The BMCs of a virtual rack: IPMI, Redfish, power, sensors, event log."""
