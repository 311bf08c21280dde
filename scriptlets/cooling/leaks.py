# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leak detectors and temperatures of a node, by its BMC (DMTF Redfish: ThermalSubsystem, LeakDetection)."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.redfish import Missing, client_of

BAD = ("Warning", "Critical")  # Redfish's states of a detector, besides OK
WET = "close the node's coolant valves, power it off, find the leak and dry it"
DEAF = "check that the detector is plugged in"


class CoolingLeaks(Scriptlet):
    """Leak detectors of all chassis of a BMC, and the temperature of its air or coolant.

    A BMC without detectors is `failed` where `required` says so; else only its temperatures are judged.
    """

    options = {
        "url": {"type": "str", "required": True},
        "required": {
            "type": "bool",
            "default": True,
            "description": "Whether there must be detectors",
        },
        "max_inlet_c": {
            "type": "float",
            "default": 27,
            "description": "The highest temperature of the air at an inlet",
            "unit": "Cel",
            "source": (
                "the upper end of the range that ASHRAE recommends since 2008 "
                "(https://www.missioncriticalmagazine.com/articles/"
                "83776-ashrae-works-to-expand-datacom-environmental-classes)"
            ),
        },
        "max_coolant_c": {
            "type": "float",
            "default": 45,
            "description": "The highest temperature of the coolant supply",
            "unit": "Cel",
            "source": (
                "our choice, the highest of ASHRAE's class W45, whose number it is "
                "(https://resistancezero.com/cdu-checklist.html): what a rack may have is in its manual"
            ),
        },
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
    }
    reads = ()
    writes = {"cooling.state_v1": "`detectors`: state by name; `temperatures_c`: degrees Celsius by name"}
    needs = (
        "a BMC with Redfish (ThermalSubsystem)",
        "it runs on another machine",
    )
    verdicts = {
        "failed": ("a detector is not OK, there are none where they are required, or a temperature is too high"),
        "error": "the BMC does not answer, or refuses the user or the certificate",
    }
    example = """
        - name: leaks
          module: cooling.leaks
          hosts: nodes
          delegate_to: localhost
          args:
            url: "{{ bmc_url }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
    """

    def run(self, ctx, params):
        with client_of(params) as device:
            detectors, temperatures = read_cooling(device)
        ctx.set("cooling.state_v1", {"detectors": detectors, "temperatures_c": temperatures})
        wrong = [*_leaks(ctx, detectors, params["required"]), *_heat(ctx, temperatures, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def read_cooling(device):
    """The states of leak detectors and the temperatures in degrees Celsius, both by name, of all chassis."""
    detectors, temperatures = {}, {}
    for chassis in device.all_of("Chassis"):
        thermal = _optional(device, chassis, "ThermalSubsystem")
        for each in _detectors(device, _optional(device, thermal, "LeakDetection")):
            name = each.get("DeviceName") or each.get("Name") or each.get("Id") or "leak detector"
            health = (each.get("Status") or {}).get("Health")
            detectors[str(name)] = str(each.get("DetectorState") or health or "unknown")
        metrics = _optional(device, thermal, "ThermalMetrics")
        for each in metrics.get("TemperatureReadingsCelsius") or ():
            if isinstance(each.get("Reading"), (int, float)):
                temperatures[str(each.get("DeviceName") or each.get("DataSourceUri"))] = each["Reading"]
    return detectors, temperatures


def _detectors(device, leaks):
    """Detectors in groups, as of LeakDetection 1.1, and those of the collection LeakDetectors, which is older."""
    grouped = [each for group in leaks.get("LeakDetectorGroups") or () for each in group.get("Detectors") or ()]
    return grouped or [*device.members(_optional(device, leaks, "LeakDetectors"))]


def _optional(device, resource, name):
    """What a resource links to; empty where the BMC does not have it."""
    try:
        return device.follow(resource, name)
    except Missing:
        return {}


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
