# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a BMC knows of the network ports of its node (DMTF Redfish: Port, NetworkAdapter, ComputerSystem)."""

from __future__ import annotations

from scriptlets.tools.redfish import Missing
from scriptlets.tools.switch_tables import mac_of


def read_node(device):
    """A node as its BMC sees it: {"power": "On", "ports": {name: port}}.

    A port is {"mac", "link", "speed_gbps", "peer", "peer_port"}, the last two by LLDP where the BMC has it. A BMC that
    shows no ports gives none. Raises RedfishError where the BMC does not answer.
    """
    system = device.system()
    adapters = [each for chassis in device.all_of("Chassis") for each in _all(device, chassis, "NetworkAdapters")]
    ports = [each for adapter in adapters for name in ("Ports", "NetworkPorts") for each in _all(device, adapter, name)]
    return {
        "power": system.get("PowerState") or "",
        "ports": {str(each.get("Name") or each.get("Id")): _port(each) for each in ports},
    }


def _all(device, resource, name):
    """The members of a collection that a BMC may lack."""
    try:
        return [*device.members(device.follow(resource, name))]
    except Missing:
        return []


def _port(resource):
    ethernet = resource.get("Ethernet") or {}
    heard = ethernet.get("LLDPReceive") or {}
    macs = [*(ethernet.get("AssociatedMACAddresses") or ()), *(resource.get("AssociatedNetworkAddresses") or ())]
    megabits = resource.get("CurrentLinkSpeedMbps")
    return {
        "mac": mac_of(str(macs[0])) if macs else "",
        "link": {"Up": "LinkUp", "Down": "LinkDown"}.get(resource.get("LinkStatus"), resource.get("LinkStatus") or ""),
        "speed_gbps": resource.get("CurrentSpeedGbps", megabits / 1000 if megabits else None),
        "peer": heard.get("SystemName") or "",
        "peer_port": heard.get("PortId") or "",
    }
