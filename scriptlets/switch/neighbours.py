# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a switch's ports are connected to, by what its command line has answered, against the cabling plan."""

from __future__ import annotations

import re

from rack_recipes import Failed, Scriptlet
from scriptlets.cabling.neighbours import described, judge
from scriptlets.tools.switch_command_answers import neighbours

MAC = re.compile(r"[0-9a-f]{4}(\.[0-9a-f]{4}){2}", re.IGNORECASE)


class SwitchNeighbours(Scriptlet):
    """Whether the neighbour at each port of a switch is the one of the plan, by what its command line has answered.

    A neighbour's domain counts only where the plan has one.
    """

    options = {
        "told": {
            "type": "raw",
            "required": True,
            "description": "The answer to a command such as `show lldp neighbors | json`",
        },
        "expected": {
            "type": "dict",
            "default": {},
            "description": "What belongs into each port: PORT -> NODE:PORT",
        },
    }
    reads = ()
    writes = {
        "lldp.neighbours_v1": (
            "For each port its `peer` and `peer_port`, and `expected_peer` and `expected_port` of the plan"
        )
    }
    needs = ("the answer of a switch, from an earlier step",)
    verdicts = {
        "failed": "a port has no neighbour, or another one than in the plan",
        "error": "the answer is not known here",
    }
    example = """
        - name: lldp
          type: ansible
          module: arista.eos.eos_command
          hosts: switches
          args: {commands: ["show lldp neighbors | json"]}
          writes: {switch.lldp_v1: stdout.0}
          success: none
        - name: neighbours
          module: switch.neighbours
          hosts: switches
          delegate_to: localhost
          args:
            told: "${switch.lldp_v1}"
            expected: {Ethernet1: "spine1:Ethernet3"}
    """

    def run(self, ctx, params):
        expected = {str(port): str(peer) for port, peer in params["expected"].items()}
        told = neighbours(params["told"])
        found = {port: [as_planned(peer, expected.get(port, "")) for peer in peers] for port, peers in told.items()}
        ports = sorted({*expected, *found})
        ctx.set("lldp.neighbours_v1", {port: described(found.get(port), expected.get(port)) for port in ports})
        wrong = [said for port in sorted(expected) if (said := judge(ctx, port, expected[port], found.get(port, [])))]
        if wrong:
            raise Failed("; ".join(wrong))


def as_planned(peer, expected):
    """A neighbour without the domain of its name, where the planned one has none."""
    node, colon, port = peer.partition(":")
    is_whole = "." in expected.partition(":")[0] or MAC.fullmatch(node)
    return peer if is_whole else f"{node.partition('.')[0]}{colon}{port}"
