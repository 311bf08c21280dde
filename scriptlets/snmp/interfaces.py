# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interfaces of a device by SNMP: state, speed, and how fast their counters of errors and discards grow."""

from __future__ import annotations

import time

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.snmp import column, tables, text_of

UPTIME, INTERFACES, MORE = ".1.3.6.1.2.1.1.3", ".1.3.6.1.2.1.2.2.1", ".1.3.6.1.2.1.31.1.1.1"
"""sysUpTime (RFC 3418), ifTable and ifXTable (RFC 2863)."""

DESCRIPTION, ADMIN, OPERATION, SPEED = 2, 7, 8, 5  # columns of ifTable
NAME, HIGH_SPEED = 1, 15  # columns of ifXTable
COUNTERS = {"in_errors": 14, "out_errors": 20, "in_discards": 13, "out_discards": 19}  # Counter32, of ifTable
STATES = {1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "not present", 7: "lower layer down"}
WRAP = 2**32
MILLION = 1_000_000


class SnmpInterfaces(Scriptlet):
    """State, speed, and errors and discards a second of the interfaces of a device, by SNMP.

    The counters are read twice. A counter of 32 bits that began anew at 0 is counted on; a device that restarted
    between the two is an error.
    """

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 161},
        "version": {"type": "str", "choices": ["2c", "3"], "default": "2c"},
        "community": {"type": "str", "no_log": True},
        "user": {"type": "str"},
        "auth_protocol": {
            "type": "str",
            "choices": ["SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "MD5"],
            "default": "SHA",
        },
        "auth_password": {"type": "str", "no_log": True},
        "privacy_protocol": {"type": "str", "choices": ["AES", "AES-192", "AES-256", "DES"], "default": "AES"},
        "privacy_password": {"type": "str", "no_log": True},
        "context": {"type": "str"},
        "timeout": {"type": "float", "default": 2},
        "retries": {"type": "int", "default": 2},
        "ports": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Interfaces that must be up; by default those that are switched on",
        },
        "min_speed": {
            "type": "float",
            "description": "The least speed",
            "unit": "Mbit/s",
        },
        "interval": {
            "type": "float",
            "default": 5,
            "description": "The time between the two looks",
            "unit": "s",
        },
        "max_errors": {
            "type": "float",
            "default": 0.1,
            "description": "How many errors a second",
            "unit": "1/s",
            "source": ("a link of IEEE 802.3 has at most one wrong bit in 10^12, so that a healthy one has hardly any"),
        },
        "max_discards": {
            "type": "float",
            "description": "How many discards a second; full queues discard in a healthy network, too",
            "unit": "1/s",
        },
        "missing": {
            "type": "str",
            "choices": ["failed", "skipped"],
            "default": "failed",
            "description": "What the step is where the device tells of no interfaces",
        },
    }
    reads = ()
    writes = {
        "snmp.interfaces_v1": (
            "For each interface is_on, state, speed_mbit_s (Mbit/s), and its errors and discards a second (1/s)"
        )
    }
    needs = (
        "net-snmp (Debian: snmp)",
        "a device with SNMP",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "an interface is down, too slow, or has errors; or the device has none",
        "skipped": "the device has no interfaces, with `missing: skipped`",
        "error": "the device does not answer, or has restarted",
    }
    example = """
        - name: interfaces
          module: snmp.interfaces
          hosts: switches
          delegate_to: localhost
          args: {address: "{{ ansible_host }}", community: "{{ snmp_community }}"}
    """

    def run(self, ctx, params):
        first = look(params)
        if not first["names"]:
            ending = Skipped if params["missing"] == "skipped" else Failed
            raise ending(f"no such hardware: {params['address']} tells of no interfaces (IF-MIB)")
        missing = sorted(set(params["ports"]) - set(first["names"].values()))
        if missing:
            raise Failed(f"{params['address']} has no interface {', '.join(missing)}")
        time.sleep(params["interval"])
        second = look(params)
        found = compared(first, second)
        ctx.set("snmp.interfaces_v1", found)
        wrong = [said for name in chosen(found, params["ports"]) for said in judged(ctx, name, found[name], params)]
        if wrong:
            raise Failed("; ".join(wrong))


def look(params):
    """The tables at one time: uptime in seconds, and the columns of all interfaces by their index."""
    told = tables(params, (UPTIME, INTERFACES, MORE))
    table, more = told[INTERFACES], told[MORE]
    described = {**column(table, DESCRIPTION), **column(more, NAME)}
    return {
        "uptime": told[UPTIME].get("0", 0) / 100,
        "names": {index: text_of(name) for index, name in described.items()},
        "admin": column(table, ADMIN),
        "operation": column(table, OPERATION),
        "speed": {index: bits / MILLION for index, bits in column(table, SPEED).items()} | column(more, HIGH_SPEED),
        **{name: column(table, number) for name, number in COUNTERS.items()},
    }


def compared(first, second):
    """Each interface by its name, with the growth of its counters a second. Raises ValueError after a restart."""
    seconds = second["uptime"] - first["uptime"]
    if seconds <= 0:
        raise ValueError("the device has restarted between the two looks, or tells no uptime: its counters say nothing")
    return {name: interface(index, first, second, seconds) for index, name in second["names"].items()}


def interface(index, first, second, seconds):
    """One interface; None for a counter that the device does not have."""
    rates = {f"{name}_per_s": rate(first[name].get(index), second[name].get(index), seconds) for name in COUNTERS}
    return {
        "is_on": second["admin"].get(index) == 1,
        "state": STATES.get(second["operation"].get(index), "unknown"),
        "speed_mbit_s": second["speed"].get(index),
        **rates,
    }


def rate(before, after, seconds):
    """How fast a counter of 32 bits grows, a second."""
    if before is None or after is None:
        return None
    return (after - before) % WRAP / seconds


def chosen(found, ports):
    """The interfaces that are judged."""
    return ports or [name for name, each in found.items() if each["is_on"]]


def judged(ctx, name, found, params):
    """Judge one interface; gives what is wrong with it, and what to do."""
    if ctx.check(f"state.{name}", found["state"], eq="up") == "failed":
        yield f"{name} is {found['state']}: look at its cable and at the device at the other end"
        return
    if params["min_speed"] is not None:
        speed = needed(found, "speed_mbit_s", name)
        if ctx.check(f"speed.{name}", speed, "Mbit/s", min=params["min_speed"]) == "failed":
            yield f"{name} runs at {speed:g} Mbit/s: look at the module, the cable, and the speed that is set"
    for counter, what, limit in limits(params):
        grown = needed(found, counter, name)
        if ctx.check(f"{counter}.{name}", grown, "1/s", max=limit) == "failed":
            yield f"{name} has {grown:.3g} {what} a second: clean or replace the cable or the module"


def limits(params):
    """The counters that have a limit, each with its words."""
    both = (("errors", params["max_errors"]), ("discards", params["max_discards"]))
    return [
        (f"{way}_{kind}_per_s", f"{way}coming {kind}" if way == "in" else f"{way}going {kind}", limit)
        for kind, limit in both
        if limit is not None
        for way in ("in", "out")
    ]


def needed(found, key, name):
    """A value that is judged. Raises ValueError where the device does not have it."""
    if found[key] is None:
        raise ValueError(f"{name}: the device does not tell {key}")
    return found[key]
