# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speed, duplex and autonegotiation of ports."""

from __future__ import annotations

import re
from pathlib import Path

from rack_recipes import Failed, HostFiles, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import run

UNKNOWN = (None, "-1", "unknown")
AUTONEG = re.compile(r"^\s*Auto-negotiation:\s*(on|off)\s*$", re.MULTILINE)


class LinkSpeed(Scriptlet):
    """Whether each port runs at the speed, the duplex and with the autonegotiation that are expected.

    An argument that is not given is not judged. A port that has neither speed nor duplex, such as one of a virtual
    machine, is no such hardware. One without a carrier has none either, and is failed: look at the cable first.
    """

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports",
        },
        "speed": {
            "type": "int",
            "description": "The speed that they must have",
            "unit": "Mbit/s",
        },
        "duplex": {
            "type": "str",
            "choices": ["full", "half"],
            "default": "full",
            "description": "The duplex that they must have",
        },
        "autoneg": {
            "type": "str",
            "choices": ["on", "off"],
            "description": "Whether autonegotiation must be on, or off",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/sys/class/net",
            "description": "The kernel's folder of ports; another one for tests",
        },
    }
    reads = ()
    writes = {"links.speed_v1": "For each port speed (Mbit/s), duplex, carrier, and autoneg where it was asked for"}
    needs = ("ethtool (Debian: ethtool), for autonegotiation",)
    verdicts = {
        "failed": "a port has no carrier, or another speed, duplex or autonegotiation",
        "skipped": "a port has no speed (failed with `absent: fail`)",
        "error": "a port is not there",
    }
    example = """
        - name: speed
          module: link.speed
          args: {ports: [eth1], speed: 25000, autoneg: "off"}
    """

    def run(self, ctx, params):
        found = {port: read(Path(params["root"], port)) for port in params["ports"]}
        dark = [port for port, own in found.items() if own["carrier"] != "1"]
        without = [port for port, own in found.items() if port not in dark and own["speed"] is None]
        if without:
            is_missing(f"{', '.join(without)} without a speed", params)
        for port in found if params["autoneg"] else ():
            found[port]["autoneg"] = autoneg(run(("ethtool", port)))
        ctx.set("links.speed_v1", found)
        wrong = [f"{port} has no carrier: look at the cable first" for port in dark]
        wrong += [said for port in found if port not in dark for said in _judge(ctx, port, found[port], params)]
        ctx.check("ports_without_carrier", len(dark), "ports", max=0)
        if wrong:
            raise Failed("; ".join(wrong))


def read(folder):
    """Speed in Mbit/s, duplex and carrier of a port. Raises ValueError for a port that is not there."""
    if not folder.is_dir():
        raise ValueError(f"there is no port {folder.name}")
    files = HostFiles(folder)
    speed, duplex = files.text("speed"), files.text("duplex")
    return {
        "speed": None if speed in UNKNOWN else int(speed),
        "duplex": None if duplex in UNKNOWN else duplex,
        "carrier": files.text("carrier"),
    }


def autoneg(text):
    """`on` or `off`, from the text of ethtool. Raises ValueError where it says neither."""
    found = AUTONEG.search(text)
    if not found:
        raise ValueError(f"ethtool says nothing about autonegotiation: {text[-200:]!r}")
    return found[1]


def _judge(ctx, port, found, params):
    """Judge one port; yields what is wrong with it."""
    for name, unit in (("speed", "Mbit/s"), ("duplex", ""), ("autoneg", "")):
        expected = params[name]
        if expected is None:
            ctx.measure(f"{name}.{port}", found.get(name), unit)
        elif ctx.check(f"{name}.{port}", found[name], unit, eq=expected) == "failed":
            yield f"{port}: {name} is {found[name]}, expected {expected}: compare the settings of both ends"
