# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's ports are connected to, by LLDP, against the cabling plan."""

from __future__ import annotations

import time

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run_json

COMMAND = ("lldpcli", "-f", "json0", "show", "neighbors")
PAUSE = 0.5  # seconds between two looks


class LldpNeighbours(Scriptlet):
    """The neighbour at each port, and whether it is the one of the plan.

    After a change of cables a port shows the old and the new neighbour until the old one's time to live is over. So a
    port with several neighbours is looked at again, for at most `wait` seconds.
    """

    options = {
        "expected": {
            "type": "dict",
            "default": {},
            "description": (
                "What belongs into each port: PORT -> NODE:PORT; ports without an entry are told and not judged"
            ),
        },
        "wait": {
            "type": "float",
            "default": 15,
            "description": (
                "For how long a port without its neighbour, or with an old and a new one, is looked at again"
            ),
            "unit": "s",
            "source": "our choice; lldpd keeps an old neighbour for 120 s",
        },
    }
    reads = ()
    writes = {
        "lldp.neighbours_v1": (
            "For each port its `peer` and `peer_port`, and `expected_peer` and `expected_port` of the plan"
        )
    }
    needs = (
        "lldpd (Debian: lldpd)",
        "a user who may ask it, such as root",
    )
    verdicts = {
        "failed": ("a port has no neighbour, or another one than in the plan; swapped cables are named as a pair"),
        "error": "lldpcli does not answer",
    }
    example = """
        - name: neighbours
          module: cabling.neighbours
          args:
            expected: {swp1: "spine1:swp3", swp2: "spine2:swp3"}
    """

    def run(self, ctx, params):
        expected = {str(port): str(peer) for port, peer in params["expected"].items()}
        found = settled(expected, params["wait"])
        ports = sorted({*expected, *found})
        ctx.set("lldp.neighbours_v1", {port: described(found.get(port), expected.get(port)) for port in ports})
        wrong = [said for port in sorted(expected) if (said := judge(ctx, port, expected[port], found.get(port, [])))]
        if wrong:
            raise Failed("; ".join([*wrong, *swapped(expected, found)]))


def settled(expected, wait):
    """The neighbours of each port as `NODE:PORT`, once no port has several and none of the plan is without."""
    until = time.monotonic() + wait
    while True:
        found = as_planned(neighbours(run_json(COMMAND)), expected)
        is_settled = all(len(peers) == 1 for peers in found.values()) and set(expected) <= set(found)
        if is_settled or time.monotonic() >= until:
            return found
        time.sleep(PAUSE)


def swapped(expected, found):
    """What to do about two ports of this host that each see the neighbour of the other one."""
    seen = {port: peers[0] for port, peers in found.items() if len(peers) == 1 and port in expected}
    for port, peer in sorted(seen.items()):
        others = [other for other in seen if port < other and expected[other] == peer and seen[other] == expected[port]]
        yield from (f"{port} and {other} are swapped: exchange the plugs in these two ports" for other in others)


def as_planned(found, expected):
    """The neighbours with their names as the plan has them: LLDP may tell a domain that the plan leaves out."""
    names = {end.partition(":")[0] for end in expected.values()}
    return {port: sorted({_in_plan(peer, names) for peer in peers}) for port, peers in found.items()}


def _in_plan(peer, names):
    short, dot, rest = peer.partition(".")
    domain, colon, port = rest.partition(":")
    return f"{short}:{port}" if dot and colon and short in names and f"{short}.{domain}" not in names else peer


def neighbours(told):
    """The neighbours of each port, from the JSON of `lldpcli -f json0`."""
    found = {}
    for interface in (told or {}).get("lldp", [{}])[0].get("interface", []):
        name = _first(interface.get("chassis"), "name") or _first(interface.get("chassis"), "id")
        port = _first(interface.get("port"), "id")
        found.setdefault(interface["name"], []).append(f"{name}:{port}")
    return {port: sorted(set(peers)) for port, peers in found.items()}


def _first(parts, name):
    values = (parts or [{}])[0].get(name) or [{}]
    return values[0].get("value", "")


def described(peers, expected):
    """What a port sees and what it should see, in the words of the analysis of links."""
    shown = {"others": peers[1:]} if peers and len(peers) > 1 else {}
    if peers:
        shown["peer"], _colon, shown["peer_port"] = peers[0].rpartition(":")
    if expected:
        shown["expected_peer"], _colon, shown["expected_port"] = expected.rpartition(":")
    return shown


def judge(ctx, port, expected, peers):
    """Judge one port; returns what is wrong with it."""
    seen = " and ".join(peers) or "no neighbour"
    verdict = ctx.check(f"neighbour.{port}", seen, eq=expected)
    return "" if verdict == "passed" else f"{port}: expected {expected}, found {seen}"
