# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sensors of a server as its BMC tells them by IPMI: readings, states, and what is beyond the BMC's limits."""

from __future__ import annotations

import csv

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.ipmi import ipmi

# The fields of `ipmitool -c -v sdr list`: ipmi_sdr_print_sensor_fc in lib/ipmi_sdr.c of ipmitool.
NAME, READING, UNIT, STATUS, _ENTITY, _ENTITY_NAME, KIND = range(7)
LIMITS = {
    "upper_fatal": 10, "upper_critical": 11, "upper_warning": 12,
    "lower_fatal": 13, "lower_critical": 14, "lower_warning": 15,
}  # fmt: skip
NUMBERED = 18
"""How many fields a sensor with a number has; one with states has four, and one more for each state."""

STATUSES = {
    "ok": "ok", "ns": "absent", "na": "absent", "": "absent",
    "unc": "warning", "lnc": "warning", "nc": "warning",
    "Upper Non-Critical": "warning", "Lower Non-Critical": "warning",
}  # fmt: skip
"""Each word of a status, in short and in the long form of -v; every other one says that a part is beyond a limit."""

# Words of states that say that something is wrong: tables 42-2 and 42-3 of the IPMI specification 2.0.
FAULTY = (
    "failure", "failed", "fault", "lost", "out-of-range", "critical", "non-recoverable", "error", "degraded",
    "uncorrectable", "thermal trip", "ierr", "non-redundant", "monitor", "predictive", "over temperature", "expired",
)  # fmt: skip
HARMLESS = ("state deasserted", "non-critical deasserted", "transition to ok", "limit not exceeded")
ADVICE = {
    "Temperature": "look at the air in front of it and at its fans",
    "Fan": "replace the fan",
    "Voltage": "replace the power supply or the board",
    "": "look at its cord and its outlet, then replace the part",
}
"""What to do, by the kind of the sensor; the last one for sensors with states, whose kind ipmitool does not print."""


class IpmiSensors(Scriptlet):
    """The sensors of a server as its BMC tells them by IPMI, judged by the BMC's own limits.

    A sensor without a reading is told as absent.
    """

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 623},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "privilege": {"type": "str", "choices": ["USER", "OPERATOR", "ADMINISTRATOR"], "default": "USER"},
        "cipher_suite": {"type": "int"},
        "timeout": {"type": "int", "default": 1},
        "tries": {"type": "int", "default": 4},
        "names": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Sensors that must have a reading",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Sensors that are told and not judged",
        },
        "missing": {
            "type": "str",
            "choices": ["failed", "skipped"],
            "default": "failed",
            "description": "What the step is where the BMC has no sensors",
        },
    }
    reads = ()
    writes = {
        "ipmi.sensors_v1": (
            "For each sensor kind, status (ok, warning, critical, absent), reading with unit and limits, or its states"
        )
    }
    needs = (
        "ipmitool (Debian: ipmitool)",
        "a BMC with IPMI 2.0",
        "it runs on another machine",
    )
    verdicts = {
        "failed": ("a sensor is beyond a critical limit, tells that a part has failed, or has no reading"),
        "marginal": "a reading is beyond a limit that only warns",
        "skipped": "the BMC has no sensors, with `missing: skipped`",
        "error": "the BMC does not answer, or refuses the user",
    }
    example = """
        - name: sensors
          module: ipmi.sensors
          hosts: servers
          delegate_to: localhost
          args:
            address: "{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
    """

    def run(self, ctx, params):
        found = sensors(ipmi(params, ("sdr", "list"), ("-c", "-v")))
        if not found:
            ending = Skipped if params["missing"] == "skipped" else Failed
            raise ending(f"no such hardware: the BMC at {params['address']} has no sensors")
        ctx.set("ipmi.sensors_v1", found)
        missing = [name for name in params["names"] if found.get(name, {}).get("status", "absent") == "absent"]
        if missing:
            raise Failed(f"no reading of {', '.join(missing)}: look whether the part is there, then restart the BMC")
        judged = [name for name in found if name not in params["ignore"] and found[name]["status"] != "absent"]
        wrong = [said for name in judged if (said := judge(ctx, name, found[name]))]
        if wrong:
            raise Failed("; ".join(wrong))


def sensors(text):
    """The sensors by name, of what ipmitool printed. Raises ValueError for a line that is none."""
    found = {}
    for fields in csv.reader(text.splitlines()):
        if 0 < len(fields) <= STATUS:
            raise ValueError(f"ipmitool printed {','.join(fields)[:100]!r}, which is no sensor")
        if fields:
            sensor = with_number(fields) if len(fields) >= NUMBERED else with_states(fields)
            found[unused(fields[NAME].strip(), found)] = sensor
    return found


def unused(name, found):
    """The name of a sensor; that of a second one with the same name has a number."""
    names = [name, *(f"{name} ({number})" for number in range(2, len(found) + 3))]
    return next(each for each in names if each not in found)


def with_number(fields):
    """A sensor with a number; limits that it does not have are left out."""
    status = STATUSES.get(fields[STATUS], "critical")
    reading = number(fields[READING])
    return {
        "kind": fields[KIND],
        "status": "absent" if reading is None and status == "ok" else status,
        "reading": reading,
        "unit": fields[UNIT],
        "limits": {name: limit for name, place in LIMITS.items() if (limit := number(fields[place])) is not None},
    }


def number(text):
    """A number, or None for what is none, such as "no reading"."""
    try:
        return float(text)
    except ValueError:
        return None


def with_states(fields):
    """A sensor with states: name, number, status, entity, and a field for each state that holds."""
    states = [each.strip() for each in fields[4:] if each.strip()]
    if fields[2] in ("ns", "na") or states in (["No Reading"], ["Disabled"]):
        return {"kind": "", "status": "absent", "states": []}
    return {"kind": "", "status": "critical" if any(map(is_faulty, states)) else "ok", "states": states}


def is_faulty(state):
    """Whether a state says that something is wrong."""
    words = state.lower()
    return words not in HARMLESS and any(word in words for word in FAULTY)


def judge(ctx, name, found):
    """Judge one sensor; returns what is wrong with it, and what to do."""
    if found.get("reading") is not None:
        ctx.measure(f"reading.{name}", found["reading"], found["unit"])
    verdict = ctx.check(f"status.{name}", found["status"], one_of=["ok", "warning"], warn={"one_of": ["ok"]})
    if verdict != "failed":
        return ""
    return f"{name} {described(found)}: {ADVICE.get(found['kind'], ADVICE[''])}"


def described(found):
    """A sensor that is not as it should be, in words."""
    if "states" in found:
        return f"says {', '.join(state for state in found['states'] if is_faulty(state))}"
    limits = ", ".join(f"{name.replace('_', ' ')} {limit:g}" for name, limit in found["limits"].items())
    return f"reads {found['reading']:g} {found['unit']} (limits: {limits or 'those of the BMC'})"
