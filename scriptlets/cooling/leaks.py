# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leak detectors and temperatures of a node, by its BMC (DMTF Redfish: ThermalSubsystem, LeakDetection)."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.tools.http_api import HttpError, service

ROOT = "/redfish/v1/"
BAD = ("Warning", "Critical")  # Redfish's states of a detector, besides OK
WET = "close the node's coolant valves, power it off, find the leak and dry it"
DEAF = "check that the detector is plugged in"


class CoolingLeaks(Scriptlet):
    """Leak detectors of all chassis of a BMC, and the temperature of its air or coolant.

    A BMC without detectors is `failed` where `required` says so; else only its temperatures are judged. The default of
    `max_inlet_c` is the upper end of ASHRAE's recommended range for air (TC 9.9, 2021: 27 degrees); that of
    `max_coolant_c` the supply temperature of facility water class W45.
    """

    options = {
        "url": {"type": "str", "required": True},
        "required": {"type": "bool", "default": True},
        "max_inlet_c": {"type": "float", "default": 27},
        "max_coolant_c": {"type": "float", "default": 45},
        "user": {"type": "str", "default": ""},
        "password": {"type": "str", "default": "", "no_log": True},
        "timeout": {"type": "float", "default": 5},
        "verify": {"type": "bool", "default": True},
    }
    reads = ()
    writes = ("cooling.state_v1",)

    def run(self, ctx, params):
        with service(params) as api:
            detectors, temperatures = read_cooling(api)
        ctx.set("cooling.state_v1", {"detectors": detectors, "temperatures_c": temperatures})
        wrong = [*_leaks(ctx, detectors, params["required"]), *_heat(ctx, temperatures, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def read_cooling(api):
    """The states of leak detectors and the temperatures in degrees Celsius, both by name, of all chassis."""
    detectors, temperatures = {}, {}
    for chassis in _chassis(api):
        thermal = _optional(api, chassis.get("ThermalSubsystem"))
        leaks = _optional(api, thermal.get("LeakDetection"))
        for each in _detectors(api, leaks):
            name = each.get("DeviceName") or each.get("Name") or each.get("Id") or "leak detector"
            health = (each.get("Status") or {}).get("Health")
            detectors[str(name)] = str(each.get("DetectorState") or health or "unknown")
        metrics = _optional(api, thermal.get("ThermalMetrics"))
        for each in metrics.get("TemperatureReadingsCelsius") or ():
            if isinstance(each.get("Reading"), (int, float)):
                temperatures[str(each.get("DeviceName") or each.get("DataSourceUri"))] = each["Reading"]
    return detectors, temperatures


def _chassis(api):
    root = api.get(ROOT)
    collection = api.get((root.get("Chassis") or {}).get("@odata.id") or ROOT + "Chassis")
    return [api.get(each["@odata.id"]) for each in collection.get("Members", ())]


def _detectors(api, leaks):
    """Detectors in groups, as of LeakDetection 1.1, and those of the collection LeakDetectors, which is older."""
    grouped = [each for group in leaks.get("LeakDetectorGroups") or () for each in group.get("Detectors") or ()]
    if grouped:
        return grouped
    members = _optional(api, leaks.get("LeakDetectors")).get("Members", ())
    return [api.get(each["@odata.id"]) for each in members]


def _optional(api, link):
    """A resource that a BMC may lack; empty where it does."""
    path = link.get("@odata.id") if isinstance(link, dict) else ""
    if not path:
        return {}
    try:
        return api.get(path)
    except HttpError as error:
        if error.status == 404:
            return {}
        raise


def _leaks(ctx, detectors, is_required):
    """Judge the detectors; yields what is wrong."""
    if not detectors and is_required:
        ctx.check("leak_detectors", 0, "detectors", min=1)
        yield "the BMC shows no leak detectors: check its firmware, or set required: false for nodes cooled by air"
    wrong = {}
    for name, state in sorted(detectors.items()):
        if ctx.check(f"leak.{name}", state, eq="OK") == "failed":
            wrong.setdefault(state, []).append(name)
    for state, names in wrong.items():
        yield f"{', '.join(names)}: {state}: {WET if state in BAD else DEAF}"


def _heat(ctx, temperatures, params):
    """Judge the temperatures; yields what is wrong."""
    for name, value in sorted(temperatures.items()):
        is_inlet, is_coolant = "inlet" in name.lower(), "coolant supply" in name.lower()
        limit = params["max_inlet_c"] if is_inlet else params["max_coolant_c"] if is_coolant else None
        if limit is None:
            ctx.measure(f"temperature.{name}", value, "Cel")
        elif ctx.check(f"temperature.{name}", value, "Cel", max=limit) == "failed":
            do = "check filters, fans and blanking panels" if is_inlet else "check the flow and the cooling unit"
            yield f"{name} has {value:g} °C, {limit:g} at most: {do}"
