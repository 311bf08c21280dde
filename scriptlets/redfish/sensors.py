# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Temperatures, fans and voltages of a server against the device's own thresholds, by Redfish."""

from __future__ import annotations

import fnmatch

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.redfish import Missing, client_of, is_there, named, status_of

# The lists of the resources Thermal and Power (DSP8010), with the property of a reading and its unit.
LISTS = {
    "Thermal": (("Temperatures", "ReadingCelsius", "Cel"), ("Fans", "Reading", "")),
    "Power": (("Voltages", "ReadingVolts", "V"),),
}
# Each limit: its name in those lists, and in a Sensor (DSP8010, Sensor.Thresholds).
LIMITS = {
    "upper_warning": ("UpperThresholdNonCritical", "UpperCaution"),
    "upper_critical": ("UpperThresholdCritical", "UpperCritical"),
    "lower_warning": ("LowerThresholdNonCritical", "LowerCaution"),
    "lower_critical": ("LowerThresholdCritical", "LowerCritical"),
}


class RedfishSensors(Scriptlet):
    """Temperatures, fans and voltages of a server, by the thresholds and the health that its BMC tells."""

    options = {
        "url": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
        "missing": {
            "type": "str",
            "choices": ["failed", "skipped"],
            "default": "failed",
            "description": "What the step is where the BMC has no sensors",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Patterns of names that are not judged",
        },
    }
    reads = ()
    writes = {"redfish.sensors_v1": "For each sensor reading, unit, health and its limits"}
    needs = (
        "a BMC with Redfish",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "a reading is beyond a critical limit, or a sensor is not healthy",
        "marginal": "a reading is beyond a limit that only warns",
        "skipped": "the BMC has no sensors, with `missing: skipped`",
        "error": "a sensor tells nothing, or the BMC does not answer",
    }
    example = """
        - name: sensors
          module: redfish.sensors
          hosts: servers
          delegate_to: localhost
          args:
            url: "https://{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
    """

    def run(self, ctx, params):
        with client_of(params) as device:
            listed = sensors(device)
        found = {
            name: own
            for name, own in listed.items()
            if not any(fnmatch.fnmatch(name, pattern) for pattern in params["ignore"])
        }
        if not found:
            raise (Skipped if params["missing"] == "skipped" else Failed)("no such hardware: the BMC has no sensors")
        ctx.set("redfish.sensors_v1", found)
        wrong = [said for name, own in found.items() for said in _judge(ctx, name, own)]
        if wrong:
            raise Failed("; ".join(wrong))
        silent = [name for name, own in found.items() if own["reading"] is None and not own["health"]]
        if silent:
            raise ValueError(f"these sensors tell neither a reading nor their health: {', '.join(silent)}")


def sensors(device):
    """The sensors of all chassis by their names, with reading, unit, health and limits."""
    listed = [own for chassis in device.all_of("Chassis") for own in _of_chassis(device, chassis)]
    return {
        name: {key: value for key, value in own.items() if key not in ("Name", "MemberId")}
        for name, own in named(listed).items()
    }


def _of_chassis(device, chassis):
    """The newer collection of sensors, if the chassis has one with members, and else the older lists."""
    newer = [_sensor(each) for each in _members(device, chassis) if is_there(each)]
    return newer or [*_of_lists(device, chassis)]


def _members(device, chassis):
    try:
        return [*device.members(device.follow(chassis, "Sensors"))]
    except Missing:
        return []


def _of_lists(device, chassis):
    for resource, lists in LISTS.items():
        try:
            held = device.follow(chassis, resource)
        except Missing:
            continue
        for name, reading, unit in lists:
            for own in held.get(name) or ():
                if is_there(own):
                    yield _reading(own, own.get(reading, own.get("CurrentReading")), unit or _unit(own), _old_limit)


def _sensor(own):
    return _reading(own, own.get("Reading"), _unit(own), _new_limit)


def _unit(own):
    """The unit of a reading; `Units` and `CurrentReading` are iLO 4's words."""
    return own.get("ReadingUnits") or own.get("Units") or ""


def _reading(own, value, unit, limit):
    limits = {name: limit(own, name) for name in LIMITS}
    return {
        "Name": own.get("Name") or own.get("FanName") or own.get("MemberId") or own.get("Id"),
        "MemberId": own.get("MemberId") or own.get("Id"),
        "reading": value if isinstance(value, (int, float)) else None,
        "unit": unit,
        "health": status_of(own)[1],
        **{name: value for name, value in limits.items() if value is not None},
    }


def _old_limit(own, name):
    """A limit; an upper one of 0 stands for none (HPE's iLO 4)."""
    value = own.get(LIMITS[name][0])
    return None if value == 0 and name.startswith("upper") else value


def _new_limit(own, name):
    return ((own.get("Thresholds") or {}).get(LIMITS[name][1]) or {}).get("Reading")


def _judge(ctx, name, own):
    """Judge one sensor; yields what is wrong with it."""
    limits = {word: own[key] for word, key in (("min", "lower_critical"), ("max", "upper_critical")) if key in own}
    warn = {word: own[key] for word, key in (("min", "lower_warning"), ("max", "upper_warning")) if key in own}
    verdict = "passed"
    if own["reading"] is not None:
        if limits or warn:
            verdict = ctx.check(
                f"sensor.{name}", own["reading"], own["unit"], **limits, **({"warn": warn} if warn else {})
            )
        else:
            ctx.measure(f"sensor.{name}", own["reading"], own["unit"])
    is_bad = (
        bool(own["health"])
        and ctx.check(
            f"health.{name}",
            own["health"],
            eq="OK",
        )
        == "failed"
    )
    if verdict == "failed" or is_bad:
        yield f"{name} reads {own['reading']} {own['unit']} ({own['health'] or 'no health'}){_beyond(own)}"


def _beyond(own):
    """Which limit of its own a sensor has passed, and what to look at."""
    reading, upper, lower = own["reading"], own.get("upper_critical"), own.get("lower_critical")
    if reading is not None and upper is not None and reading >= upper:
        return f", its upper limit is {upper}: check the cooling of the rack and this server's fans"
    if reading is not None and lower is not None and reading <= lower:
        return f", its lower limit is {lower}: replace what it watches, or plug it in again"
    return ": read the event log of this BMC"
