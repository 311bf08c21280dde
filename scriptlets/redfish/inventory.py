# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server is, as its BMC tells by Redfish."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.redfish import Missing, client_of, status_of


class RedfishInventory(Scriptlet):
    """Maker, model, numbers, processors, memory, ports, versions and health of a server, as its BMC tells."""

    options = {
        "url": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
        "system": {
            "type": "str",
            "default": "",
            "description": "The Id of the system, where a device manages several",
        },
        "expected": {
            "type": "dict",
            "default": {},
            "description": ("Fields of the key and the values that they must have, such as {model: PowerEdge R640}"),
        },
        "power": {
            "type": "str",
            "choices": ["On", "Off", "any"],
            "default": "On",
            "description": "Whether the server must be on, or off",
        },
    }
    reads = ()
    writes = {
        "redfish.inventory_v1": (
            "manufacturer, model, serial, sku, host_name, uuid, power, health, health_rollup, bios_version, "
            "bmc_version, processors, memory and ports; null for what the BMC does not tell"
        )
    }
    needs = (
        "a BMC with Redfish",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "the server is not healthy, not on, or a field is another one",
        "error": "the BMC does not answer, or refuses the user or the certificate",
    }
    example = """
        - name: inventory
          module: redfish.inventory
          hosts: servers
          delegate_to: localhost
          args:
            url: "https://{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
            expected: {model: PowerEdge R640}
    """

    def run(self, ctx, params):
        with client_of(params) as device:
            found = inventory(device, device.system(params["system"]))
        ctx.set("redfish.inventory_v1", found)
        wrong = [*_judge(ctx, found, params["power"]), *_compare(ctx, found, params["expected"])]
        if wrong:
            raise Failed("; ".join(wrong))


def inventory(device, system):
    """The fields of a system that people ask for; None where the device does not tell."""
    processors, memory = system.get("ProcessorSummary") or {}, system.get("MemorySummary") or {}
    status = system.get("Status") or {}
    return {
        "manufacturer": system.get("Manufacturer"),
        "model": system.get("Model"),
        "serial": system.get("SerialNumber"),
        "sku": system.get("SKU"),
        "host_name": system.get("HostName"),
        "uuid": system.get("UUID"),
        "power": system.get("PowerState"),
        "health": status_of(system)[1] or None,
        "health_rollup": status.get("HealthRollup"),
        "bios_version": system.get("BiosVersion"),
        "bmc_version": _bmc_version(device, system),
        "processors": processors.get("Count"),
        "processor_model": processors.get("Model"),
        "memory_gib": memory.get("TotalSystemMemoryGiB"),
        "ports": _ports(device, system),
    }


def _bmc_version(device, system):
    managers = (system.get("Links") or {}).get("ManagedBy") or ()
    try:
        return device.get(managers[0]["@odata.id"]).get("FirmwareVersion") if managers else None
    except Missing:
        return None


def _ports(device, system):
    """Name and MAC of each network port; None where the device does not list them."""
    try:
        ports = device.members(device.follow(system, "EthernetInterfaces"))
        return [{"name": each.get("Id"), "mac": str(each.get("MACAddress") or "").lower()} for each in ports]
    except Missing:
        return None


def _judge(ctx, found, power):
    if found["health"] is None:
        raise ValueError("the BMC does not tell the health of the system")
    if ctx.check("health", found["health"], eq="OK") == "failed":
        yield f"the health of the system is {found['health']}: look at its sensors, power supplies and event log"
    if power != "any" and ctx.check("power", found["power"], eq=power) == "failed":
        yield f"the system is {found['power']}, expected {power}: switch it {power.lower()}"


def _compare(ctx, found, expected):
    for name, value in expected.items():
        if name not in found:
            raise ValueError(f"expected: {name!r} is none of {', '.join(found)}")
        if ctx.check(name, found[name], eq=value) == "failed":
            yield f"{name} is {found[name]}, expected {value}: exchange the part, or correct the plan"
