# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""InfiniBand and RoCE ports: that they are up, their rate, their firmware and their errors."""

from __future__ import annotations

import re
import time
from fnmatch import fnmatchcase

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.limits import judge

DEVICES = "sys/class/infiniband/"
ACTIVE, LINK_UP = "ACTIVE", "LinkUp"
RATE = re.compile(r"([\d.]+) Gb/sec")
# Documentation/ABI/stable/sysfs-class-infiniband of Linux. Discarded packets are not among them: congestion makes them.
ERRORS = (
    "symbol_error", "link_error_recovery", "port_rcv_errors", "port_rcv_remote_physical_errors",
    "port_xmit_constraint_errors", "port_rcv_constraint_errors", "local_link_integrity_errors",
    "excessive_buffer_overrun_errors",
)  # fmt: skip
STATES = {
    "Polling": "there is no cable, or nothing at its other end: reseat the cable, look at the switch's port",
    "Disabled": "the port is switched off: switch it on, here or at the switch",
    "LinkUp": "the link is up and no subnet manager has set it up: look at the subnet manager (`sminfo`)",
}


class InfinibandPorts(Scriptlet):
    """State, rate and firmware of the ports of InfiniBand and RoCE cards, and the errors that they count meanwhile.

    How often a link went down is counted since the driver was loaded.
    """

    options = {
        "expected": {
            "type": "int",
            "description": "How many ports must be active",
            "unit": "ports",
        },
        "min_gbps": {
            "type": "float",
            "description": "The least rate of each port",
            "unit": "Gbit/s",
        },
        "firmware": {
            "type": "str",
            "description": "A pattern of the version that each card must have",
        },
        "seconds": {
            "type": "float",
            "default": 1,
            "min": 0,
            "max": 86_400,
            "description": "The time between two looks at the counters",
            "unit": "s",
        },
        "max_errors": {
            "type": "int",
            "default": 0,
            "description": "How many errors a port may count meanwhile",
            "unit": "errors",
            "source": "a healthy link counts hardly any",
        },
        "max_downs": {
            "type": "int",
            "description": "How often a link may have gone down; by default that is only measured",
            "unit": "times",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Patterns of DEVICE/PORT that do not count, such as mlx5_2/1",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /sys; another one for tests",
        },
    }
    reads = ()
    writes = {
        "infiniband.ports_v1": (
            "For each DEVICE/PORT state, physical, gbps (Gbit/s), layer, firmware, downs (times) and `errors` "
            "by counter"
        )
    }
    needs = ("an InfiniBand or RoCE card with a driver of the kernel",)
    verdicts = {
        "failed": "a port is not active, too slow, has other firmware, or counts errors",
        "skipped": "the host has no such port (failed with `absent: fail`)",
    }
    example = """
        - name: infiniband
          module: infiniband.ports
          args: {expected: 8, min_gbps: 400}
    """

    def run(self, ctx, params):
        tree = HostFiles(params["root"])
        before = ports(tree, params["ignore"])
        if not before:
            is_missing("an InfiniBand or RoCE port", params)
        time.sleep(params["seconds"])
        found = {name: compared(before.get(name), port) for name, port in ports(tree, params["ignore"]).items()}
        ctx.set("infiniband.ports_v1", found)
        wrong = [*_number(ctx, found, params["expected"])]
        for name, port in found.items():
            wrong += [*_state(ctx, name, port, params), *_counted(ctx, name, port, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def ports(tree, ignore):
    """DEVICE/PORT -> what it is now and what it has counted; a counter that the card lacks is left out."""
    names = [
        f"{device}/{port}"
        for device in tree.names(DEVICES)
        for port in tree.names(f"{DEVICES}{device}/ports")
        if not any(fnmatchcase(f"{device}/{port}", pattern) for pattern in ignore)
    ]
    return {name: port_of(tree, *name.split("/")) for name in names}


def port_of(tree, device, number):
    """One port: `state` and `physical` in the words of the InfiniBand architecture, `gbps`, `layer`, `firmware`."""
    folder = f"{DEVICES}{device}/ports/{number}/"
    rate = RATE.match(tree.text(folder + "rate") or "")
    counters = {name: tree.number(f"{folder}counters/{name}") for name in (*ERRORS, "link_downed")}
    return {
        "state": _word(tree.text(folder + "state")),
        "physical": _word(tree.text(folder + "phys_state")),
        "gbps": float(rate[1]) if rate else None,
        "layer": tree.text(folder + "link_layer"),
        "firmware": tree.text(f"{DEVICES}{device}/fw_ver"),
        "counters": {name: value for name, value in counters.items() if value is not None},
    }


def _word(text):
    """The word of a state such as `4: ACTIVE`; ? where the driver tells none."""
    return (text or "?").partition(": ")[2] or "?"


def compared(before, after):
    """A port, with `downs` since the driver was loaded and the `errors` since the first look, by counter."""
    earlier = before["counters"] if before else {}
    counters = after["counters"]
    grown = {name: counters[name] - earlier[name] for name in ERRORS if name in counters and name in earlier}
    told = {key: value for key, value in after.items() if key != "counters"}
    return {
        **told,
        "downs": counters.get("link_downed"),
        "errors": {name: many for name, many in grown.items() if many},
    }


def _number(ctx, found, expected):
    """Judge how many ports are active; yields what is wrong."""
    active = sum(port["state"] == ACTIVE for port in found.values())
    if judge(ctx, "active", active, "ports", eq=expected) == "failed":
        yield f"{active} ports are active, expected {expected}: look at the cards (`lspci`) and at their cables"


def _state(ctx, name, port, params):
    """Judge state, rate and firmware of a port; yields what is wrong."""
    if ctx.check(f"state.{name}", port["state"], eq=ACTIVE) == "failed":
        action = STATES.get(port["physical"], "reseat the cable; look at the switch's port")
        yield f"{name} is {port['state']} ({port['physical']}): {action}"
    elif port["gbps"] is not None and judge(ctx, f"rate.{name}", port["gbps"], "Gbit/s", min=params["min_gbps"]) == (
        "failed"
    ):
        yield f"{name} runs at {port['gbps']:g} of {params['min_gbps']:g} Gbit/s: reseat, clean or replace its cable"
    if params["firmware"] is not None:
        is_right = fnmatchcase(port["firmware"] or "", params["firmware"])
        if ctx.check(f"firmware.{name}", is_right, eq=True) == "failed":
            yield f"{name} has firmware {port['firmware']}, expected {params['firmware']}: update the card's firmware"


def _counted(ctx, name, port, params):
    """Judge what a port has counted; yields what is wrong."""
    errors = sum(port["errors"].values())
    if ctx.check(f"errors.{name}", errors, "errors", max=params["max_errors"]) == "failed":
        told = ", ".join(f"{counter} {many}" for counter, many in port["errors"].items())
        yield f"{name} has counted {told} within {params['seconds']:g} s: clean and reseat its cable, else replace it"
    if port["downs"] is not None and judge(ctx, f"downs.{name}", port["downs"], "times", max=params["max_downs"]) == (
        "failed"
    ):
        yield f"{name} has lost its link {port['downs']} times: reseat its cable; look at both ends' modules"
