# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bonds of a host: whether all of their ports carry traffic, and LACP has found one partner."""

from __future__ import annotations

from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing

NOBODY = "00:00:00:00:00:00"


class LinkBond(Scriptlet):
    """Whether all ports of each bond carry traffic, and LACP has found one partner.

    The kernel's text is documented in Documentation/networking/bonding.rst.
    """

    options = {
        "names": {
            "type": "list",
            "elements": "str",
            "description": "Bonds that must be there; by default all that are",
        },
        "ports": {
            "type": "int",
            "description": "How many ports each bond must have",
            "unit": "ports",
        },
        "max_failures": {
            "type": "int",
            "description": (
                "How often a port may have lost its link since the bond was made; by default that is only measured"
            ),
            "unit": "times",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {
            "type": "path",
            "default": "/proc/net/bonding",
            "description": "The kernel's folder of bonds; another one for tests",
        },
    }
    reads = ()
    writes = {
        "links.bonds_v1": (
            "For each bond mode, state, partner (MAC) and its ports with name, state, speed, failures "
            "(times), aggregator and churns"
        )
    }
    needs = ("the kernel's bonding driver",)
    verdicts = {
        "failed": (
            "a port is down, the bond has another number of ports, no partner, or ports that lead to different switches"
        ),
        "skipped": "there is no bond (failed with `absent: fail`)",
        "error": "a bond's text is not known",
    }
    example = """
        - name: bond
          module: link.bond
          args: {names: [bond0], ports: 2}
    """

    def run(self, ctx, params):
        folder = Path(params["root"])
        names = params["names"] or sorted(path.name for path in folder.glob("*"))
        missing = [name for name in names if not (folder / name).is_file()]
        if missing or not names:
            is_missing(f"bond {', '.join(missing)}" if missing else "a bond", params)
        found = {name: read((folder / name).read_text(encoding="ascii", errors="replace")) for name in names}
        ctx.set("links.bonds_v1", found)
        wrong = [said for name in names for said in _judge(ctx, name, found[name], params)]
        if wrong:
            raise Failed("; ".join(wrong))


def read(text):
    """Mode, state, partner and ports of a bond. Raises ValueError where the text is no bond's."""
    sections, head = [], {}
    fields = head
    for line in text.splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        if name == "Slave Interface":
            fields = {"name": value}
            sections.append(fields)
        elif colon:
            fields.setdefault(name, value)
    if not text.startswith("Ethernet Channel Bonding Driver"):
        raise ValueError(f"this is no text of a bond: {text[:80]!r}")
    return {
        "mode": head.get("Bonding Mode", ""),
        "state": head.get("MII Status", ""),
        "partner": head.get("Partner Mac Address", ""),
        "ports": [_port(section) for section in sections],
    }


def _port(section):
    churn = {section.get("Actor Churn State", "none"), section.get("Partner Churn State", "none")}
    return {
        "name": section["name"],
        "state": section.get("MII Status", ""),
        "speed": section.get("Speed", ""),
        "failures": int(section.get("Link Failure Count", "0")),
        "aggregator": section.get("Aggregator ID", ""),
        "churns": "churned" in churn,
    }


def _judge(ctx, name, found, params):
    """Judge one bond; yields what is wrong with it."""
    ports, lacp = found["ports"], "802.3ad" in found["mode"]
    down = [port["name"] for port in ports if port["state"] != "up"]
    if ctx.check(f"down.{name}", len(down), "ports", max=0) == "failed":
        yield f"{name}: {', '.join(down)} down: look at cable and far end"
    if params["ports"] is not None and ctx.check(f"ports.{name}", len(ports), "ports", eq=params["ports"]) == "failed":
        yield f"{name} has {len(ports)} ports, expected {params['ports']}: add what is missing to the bond"
    if ctx.check(f"state.{name}", found["state"], eq="up") == "failed":
        yield f"{name} is {found['state'] or 'in no state'}"
    if lacp and ctx.check(f"partner.{name}", found["partner"], ne=NOBODY) == "failed":
        yield f"{name}: nobody answers by LACP: configure the far end's ports as one bond"
    up = [port for port in ports if port["state"] == "up"]
    aggregators = {port["aggregator"] for port in up}
    if lacp and ctx.check(f"aggregators.{name}", len(aggregators), max=1) == "failed":
        yield f"{name}: its ports lead to {len(aggregators)} different partners: compare the cables with the plan"
    churning = [port["name"] for port in up if port["churns"]]
    if lacp and ctx.check(f"churned.{name}", len(churning), "ports", max=0) == "failed":
        yield f"{name}: LACP does not settle on {', '.join(churning)}: compare key and rate of both ends"
    failures = sum(port["failures"] for port in ports)
    if params["max_failures"] is None:
        ctx.measure(f"failures.{name}", failures, "times")
    elif ctx.check(f"failures.{name}", failures, "times", max=params["max_failures"]) == "failed":
        yield f"{name}: its links have failed {failures} times: replace the cable of the port that counts"
