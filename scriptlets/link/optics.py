# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Levels of optical modules against the thresholds that the module itself has."""

from __future__ import annotations

import re

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import run

LINE = re.compile(r"^\s*(?P<name>[^:]+?)\s*:\s*(?P<value>.*?)\s*$")
LANE = re.compile(r"\s*\(Channel (\d+)\)")
NUMBER = re.compile(r"(-?inf|-?\d+(?:\.\d+)?) (dBm|degrees C|V|mA)")
ABSENT = ("Operation not supported", "No such device", "Invalid argument", "Input/output error", "not supported")
LEVELS = {
    "rx_power": (("Receiver signal average optical power", "Rcvr signal avg optical power"), "Laser rx power", "dBm"),
    "tx_power": (("Laser output power", "Transmit avg optical power"), "Laser output power", "dBm"),
    "bias": (("Laser bias current", "Laser tx bias current"), "Laser bias current", "mA"),
    "temperature": (("Module temperature",), "Module temperature", "degrees C"),
    "voltage": (("Module voltage",), "Module voltage", "V"),
}
"""For each level its names in ethtool's text for SFP and QSFP modules, the name of its thresholds, and its unit."""

ADVICE = {
    "rx_power": "clean both ends of the fibre, then replace the far end's module",
    "tx_power": "replace this module",
    "bias": "the laser ages: replace this module",
    "temperature": "look at the fans and the airflow",
    "voltage": "replace this module, then try the other port",
}


class LinkOptics(Scriptlet):
    """Power, bias current, temperature and voltage of optical modules, by the module's own thresholds.

    The limits are the alarm thresholds of the module (SFF-8472, 9.4; SFF-8636, 6.6). A module whose thresholds are
    all zero has none. ethtool's text is read, since its JSON (from 6.14 on) is not there in the versions that most
    hosts have. A port without a module, or whose module tells no levels (copper), is no such hardware.
    """

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports that have modules",
        },
        "min_margin": {
            "type": "float",
            "default": 0,
            "description": "How much the received power must be above the alarm threshold",
            "unit": "dB",
            "source": "the threshold itself is the limit",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
    }
    reads = ()
    writes = {
        "links.optics_v1": (
            "For each port its levels by name, or NAME_LANE, each with value, unit (dBm, mA, C, V) and the "
            "thresholds of the module"
        )
    }
    needs = (
        "root",
        "ethtool (Debian: ethtool)",
    )
    verdicts = {
        "failed": "a level is beyond an alarm threshold, or less than min_margin from it",
        "marginal": "a level is between a warning and an alarm threshold",
        "skipped": "no port has a module that tells its levels (failed with `absent: fail`)",
        "error": "ethtool is not there",
    }
    example = """
        - name: optics
          module: link.optics
          become: true
          args: {ports: [swp1, swp2], min_margin: 2}
    """

    def run(self, ctx, params):
        found = {port: levels(module(port)) for port in params["ports"]}
        without = [port for port, own in found.items() if not own]
        if without and (params["absent"] == "fail" or len(without) == len(found)):
            is_missing(f"{', '.join(without)} without a module that tells its levels", params)
        ctx.set("links.optics_v1", {port: own for port, own in found.items() if own})
        wrong = [said for port, own in found.items() for said in _judge(ctx, port, own, params["min_margin"])]
        if wrong:
            raise Failed("; ".join(wrong))


def module(port):
    """What ethtool says of the module; empty where there is none. Raises ValueError for other problems."""
    try:
        return run(("ethtool", "-m", port))
    except ValueError as error:
        if any(word in str(error) for word in ABSENT):
            return ""
        raise


def levels(text):
    """Each level by its name, or NAME_LANE, with `value`, `unit` and the thresholds that the module has."""
    lines = [(found["name"], found["value"]) for found in map(LINE.match, text.splitlines()) if found]
    found = {}
    for name, (names, of_threshold, unit) in LEVELS.items():
        limits = thresholds(lines, of_threshold, unit)
        for said, value in lines:
            lane = LANE.search(said)
            number = quantity(value, unit)
            if LANE.sub("", said).strip() in names and number is not None:
                own = {"value": number, "unit": UNITS.get(unit, unit), **limits}
                found[f"{name}_{lane[1]}" if lane else name] = own
    return found


UNITS = {"degrees C": "°C"}
LOWEST = -40.0  # dBm: what modules say for darkness, where ethtool prints -inf


def quantity(text, unit):
    """The number before a unit, such as -2.31 in `0.5875 mW / -2.31 dBm`; None where there is none."""
    numbers = [number for number, its in NUMBER.findall(text) if its == unit]
    if not numbers:
        return None
    return LOWEST if numbers[0].endswith("inf") else float(numbers[0])


def thresholds(lines, name, unit):
    """The alarm and warning thresholds of a level; none where the module has only zeros."""
    words = {"min": "low alarm", "max": "high alarm", "warn_min": "low warning", "warn_max": "high warning"}
    told = dict(lines)
    found = {key: quantity(told.get(f"{name} {word} threshold", ""), unit) for key, word in words.items()}
    values = {value for value in found.values() if value is not None}
    return {} if len(values) < 2 else {key: value for key, value in found.items() if value is not None}


def _judge(ctx, port, found, margin):
    """Judge the levels of one module; yields what is wrong."""
    for name, level in found.items():
        bare = name.rpartition("_")[0] if name[-1].isdigit() else name
        limits = {word: level[word] for word in ("min", "max") if word in level}
        warn = {word: level[f"warn_{word}"] for word in limits if f"warn_{word}" in level}
        if bare == "rx_power" and "min" in limits:
            limits["min"] += margin
        if not limits:
            ctx.measure(f"{name}.{port}", level["value"], level["unit"])
        elif ctx.check(f"{name}.{port}", level["value"], level["unit"], **limits, warn=warn) == "failed":
            bounds = " to ".join(f"{limits[word]:g}" for word in ("min", "max") if word in limits)
            said = f"{level['value']:g} {level['unit']}, allowed {bounds}"
            yield f"{port}: {name} is {said}: {ADVICE[bare]}"
