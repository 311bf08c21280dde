# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory for recipes/hall.yml, from the devices, interfaces and cables that a NetBox has.

NETBOX_URL says where it is. The addresses are in the custom fields that simhall has for turnup-check.
"""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

# What firmware is called in NetBox, and a pattern for its name in a BMC's list.
FIRMWARE = {"bmc": "BMC*", "bios": "*BIOS*", "nic": "ConnectX*"}
ACCESS = {"bmc_user": "audit", "bmc_password": "hall-test", "switch_user": "audit", "switch_password": "hall-test"}


def listed(what: str) -> list[dict[str, Any]]:
    """All entries of one kind."""
    url, found = f"{os.environ['NETBOX_URL']}/api/dcim/{what}/?limit=1000", []
    while url:
        with urllib.request.urlopen(url, timeout=30) as answer:
            page = json.load(answer)
        found += page["results"]
        url = page["next"]
    return found


def described(device: dict[str, Any]) -> dict[str, Any]:
    """The variables of one device, without its cables."""
    fields, more = device["custom_fields"], device["config_context"]["turnup"]
    place = {"rack": device["rack"]["name"], "position": device["position"], "role": device["role"]["slug"]}
    if fields["turnup_switch_url"]:
        return {**place, "switch_url": fields["turnup_switch_url"], "switch_api": more["lldp_protocol"]}
    return {
        **place,
        "bmc_url": fields["turnup_bmc_url"],
        "dcgm_url": fields["turnup_dcgm_url"],
        "gpus": more["gpu_count"],
        "firmware": {FIRMWARE[name]: version for name, version in more["firmware_baseline"].items()},
        "planned": {"serial": device["serial"], "model": device["device_type"]["model"]},
        "cables": {},
        "cable_facts": {},
    }


def main() -> None:
    """Print the inventory."""
    hosts = {device["name"]: described(device) for device in listed("devices")}
    macs = {(each["device"]["name"], each["name"]): each["mac_address"] for each in listed("interfaces")}
    for cable in listed("cables"):
        a, b = (cable[f"{side}_terminations"][0]["object"] for side in "ab")
        host, port = hosts[a["device"]["name"]], a["name"]
        host["cables"][port] = f"{b['device']['name']}:{b['name']}"
        speed, mac = cable["custom_fields"]["turnup_speed_gbps"], macs[a["device"]["name"], port]
        host["cable_facts"][port] = {"label": cable["label"], "speed_gbps": speed, "mac": mac}
    groups = {
        "nodes": {"hosts": [name for name, own in hosts.items() if "bmc_url" in own]},
        "switches": {"hosts": [name for name, own in hosts.items() if "switch_url" in own]},
    }
    print(json.dumps({"_meta": {"hostvars": hosts}, "all": {"vars": ACCESS, "children": [*groups]}, **groups}))


if __name__ == "__main__":
    main()
