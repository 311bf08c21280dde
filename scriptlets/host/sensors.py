# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sensors of a host's own chips say: temperature, power and fans, as the kernel shows them in sysfs."""

from __future__ import annotations

import re
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing

# Files and units: Documentation/hwmon/sysfs-interface.rst of Linux (temperature in m°C, power in uW, fans in rpm).
INPUT = re.compile(r"((temp|power|fan)\d+)_(?:input|average)")
SCALES = {"temp": (1000, "°C"), "power": (1000000, "W"), "fan": (1, "rpm")}
LIMITS = {
    "temp": {"max": ("max",), "crit": ("crit", "emergency")},
    "power": {"max": ("max",), "crit": ("crit",)},
    "fan": {"min": ("min",)},
}
"""By kind: each limit with the files that hold it; the first that has a usable number counts."""

PLAUSIBLE = {"temp": 200, "power": 100000, "fan": 100000}
"""A limit above this, or not above 0, is one that the device has not set: NVMe disks tell 65261 °C."""

OPTION = {"temp": "max_celsius", "power": "max_watts", "fan": "min_rpm"}
ADVICE = {
    "temp": "look at the air in front of the host, at its fans and at its heat sinks",
    "power": "lower the load or the power limit, and look at the power supplies",
    "fan": "replace the fan, or clear what blocks it",
}


class HostSensors(Scriptlet):
    """Temperature, power and fans of a host's own chips, against the limits of the devices and of the step.

    A reading above the critical limit of a device fails, one above its `max` makes the step marginal; where there
    is no critical limit, `max` is the one that fails. The stricter of two limits counts. A fan without a limit is
    only measured, since most boards show connectors that have no fan.
    """

    options = {
        "max_celsius": {
            "type": "float",
            "description": "The highest temperature, of all sensors",
            "unit": "Cel",
        },
        "max_watts": {
            "type": "float",
            "description": "The highest power, of all sensors",
            "unit": "W",
        },
        "min_rpm": {
            "type": "float",
            "description": "The lowest speed, of all fans",
            "unit": "1/min",
        },
        "names": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Sensors (CHIP.LABEL) that must be there",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Sensors that are told and not judged",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/sys/class/hwmon",
            "description": "The kernel's folder of sensors; another one for tests",
        },
    }
    reads = ()
    writes = {"host.sensors_v1": "For each CHIP.LABEL kind, reading and unit (Cel, W, 1/min), limits and is_broken"}
    needs = ("sensors that the kernel has drivers for (hwmon)",)
    verdicts = {
        "failed": "a reading is beyond a limit, or a device says that its sensor is broken",
        "marginal": "a reading is above the `max` of its device",
        "skipped": "the host has no sensors, or not those in `names` (failed with `absent: fail`)",
        "error": "a sensor gives no reading",
    }
    example = """
        - name: sensors
          module: host.sensors
          args: {max_celsius: 90}
    """

    def run(self, ctx, params):
        found = sensors(Path(params["root"]))
        missing = [name for name in params["names"] if name not in found]
        if missing or not found:
            is_missing(f"sensor {', '.join(missing)}" if missing else "a sensor in hwmon", params)
        ctx.set("host.sensors_v1", found)
        ctx.check("sensors", len(found), "sensors", min=1)
        judged = {name: sensor for name, sensor in found.items() if name not in params["ignore"]}
        wrong = [said for name, sensor in judged.items() if (said := judge(ctx, name, sensor, params))]
        if wrong:
            raise Failed("; ".join(wrong))
        unread = [name for name, sensor in judged.items() if sensor["reading"] is None]
        if unread:
            raise ValueError(f"no reading of {', '.join(unread)}: look at its device, or name it in `ignore`")


def sensors(root):
    """The sensors by name: kind, reading, unit, limits, and whether the device says that the sensor is broken."""
    found = {}
    for chip in sorted(root.glob("hwmon*"), key=lambda path: int(re.sub(r"\D", "", path.name) or 0)):
        parts = dict(
            sorted({match[1]: match[2] for path in chip.iterdir() if (match := INPUT.fullmatch(path.name))}.items())
        )
        for part, kind in parts.items():
            name = f"{_text(chip / 'name') or chip.name}.{_text(chip / f'{part}_label') or part}"
            found[name if name not in found else f"{chip.name}.{part}"] = _sensor(chip, part, kind)
    return found


def _sensor(chip, part, kind):
    scale, unit = SCALES[kind]
    readings = (_number(chip / f"{part}_{file}", scale) for file in ("input", "average"))
    limits = {name: _limit(chip, part, kind, files) for name, files in LIMITS[kind].items()}
    return {
        "kind": kind,
        "reading": next((reading for reading in readings if reading is not None), None),
        "unit": unit,
        "limits": {name: limit for name, limit in limits.items() if limit is not None},
        "is_broken": _text(chip / f"{part}_fault") == "1",
    }


def _limit(chip, part, kind, files):
    limits = (_number(chip / f"{part}_{file}", SCALES[kind][0]) for file in files)
    return next((limit for limit in limits if limit is not None and 0 < limit <= PLAUSIBLE[kind]), None)


def _text(path):
    """The text of a file of sysfs; empty where it is not there or the device does not answer."""
    try:
        return path.read_text(encoding="utf-8", errors="backslashreplace").strip()
    except OSError:
        return ""


def _number(path, scale):
    text = _text(path)
    return int(text) / scale if re.fullmatch(r"-?\d{1,18}", text) else None


def judge(ctx, name, sensor, params):
    """Judge one sensor; returns what is wrong with it and what to do, or an empty text."""
    kind, reading, unit = sensor["kind"], sensor["reading"], sensor["unit"]
    if sensor["is_broken"]:
        ctx.check(f"{kind}.{name}.state", "fault", eq="ok")
        return f"{name}: its device says that it is broken: {ADVICE['fan'] if kind == 'fan' else 'replace the part'}"
    if reading is None:
        return ""
    limits = limits_of(sensor, params[OPTION[kind]])
    if not limits:
        ctx.measure(f"{kind}.{name}", reading, unit)
        return ""
    if ctx.check(f"{kind}.{name}", reading, unit, **limits) != "failed":
        return ""
    limit = " ".join(f"{word} {limits[word]:g} {unit}" for word in ("min", "max") if word in limits)
    return f"{name} is {reading:g} {unit} (limit: {limit}): {ADVICE[kind]}"


def limits_of(sensor, given):
    """What a check takes: the strictest limit, and below it the device's `max`, which only warns."""
    own = sensor["limits"]
    if sensor["kind"] == "fan":
        least = [limit for limit in (own.get("min"), given) if limit is not None]
        return {"min": max(least)} if least else {}
    most = [limit for limit in (own.get("crit", own.get("max")), given) if limit is not None]
    if not most:
        return {}
    warns = "crit" in own and own.get("max", min(most)) < min(most)
    return {"max": min(most), **({"warn": {"max": own["max"]}} if warns else {})}
