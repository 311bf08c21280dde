# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a BMC knows of the network ports of its node (DMTF Redfish: Port, NetworkAdapter, ComputerSystem)."""

from __future__ import annotations

from scriptlets.tools.http_api import HttpError
from scriptlets.tools.switch_tables import mac_of

ROOT = "/redfish/v1/"


def read_node(api):
    """A node as its BMC sees it: {"power": "On", "ports": {name: port}}.

    A port is {"mac", "link", "speed_gbps", "peer", "peer_port"}, the last two by LLDP where the BMC has it. A BMC that
    shows no ports gives none. Raises HttpError where the BMC does not answer.
    """
    root = api.get(ROOT)
    systems = _members(api, api.get(_link(root, "Systems") or ROOT + "Systems"))
    ports = {}
    for chassis in _found(api, _link(root, "Chassis")):
        for adapter in _found(api, _link(chassis, "NetworkAdapters")):
            for port in _found(api, _link(adapter, "Ports") or _link(adapter, "NetworkPorts")):
                ports[str(port.get("Name") or port.get("Id"))] = _port(port)
    return {"power": (systems[0].get("PowerState") if systems else None) or "", "ports": ports}


def _found(api, path):
    """The members of a collection that a device may lack."""
    if not path:
        return []
    try:
        return _members(api, api.get(path))
    except HttpError as error:
        if error.status == 404:
            return []
        raise


def _members(api, collection):
    return [api.get(each["@odata.id"]) for each in collection.get("Members", ()) if "@odata.id" in each]


def _link(resource, name):
    link = resource.get(name)
    return link.get("@odata.id", "") if isinstance(link, dict) else ""


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
