# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Linux router spreads flows over equal paths: each gets its share."""

from __future__ import annotations

from collections import Counter

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.routes import ports_of

FIRST_PORT = 20000


class EcmpSpread(Scriptlet):
    """Whether a Linux router spreads flows over equal paths, by asking its kernel; nothing is sent.

    The flows differ in their source port alone. With the defaults chance alone fails less than once in 10 million:
    of 128 flows over two paths, one gets fewer than 32. The kernel has to hash ports
    (`net.ipv4.fib_multipath_hash_policy` 1 or 3). A switch that forwards in hardware has a hash of its own, which
    this does not see.
    """

    options = {
        "source": {
            "type": "str",
            "required": True,
            "description": "The address that the flows come from",
        },
        "targets": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The addresses that they go to",
        },
        "paths": {
            "type": "int",
            "required": True,
            "description": "How many equal paths there are",
            "unit": "paths",
        },
        "input": {
            "type": "str",
            "default": "br0",
            "description": "The port at which the flows come in",
        },
        "flows": {
            "type": "int",
            "default": 128,
            "description": "How many flows to each target are asked for",
            "unit": "flows",
        },
        "min_share": {
            "type": "float",
            "default": 0.5,
            "description": "The least share of a path, as a part of a fair share",
            "source": "chance alone fails a fair router less than once in 10 million",
            "unit": "part of a fair share",
        },
    }
    reads = ()
    writes = {"fabric.spread_v1": "For each target how many flows leave at each port"}
    needs = ("iproute2 on a Linux router",)
    verdicts = {
        "failed": "a path is missing or gets too little, or a flow has no route",
        "error": "the kernel does not answer",
    }
    example = """
        - name: spread
          module: fabric.spread
          hosts: leaves
          args: {source: 10.1.1.11, targets: [10.1.2.11], paths: 2}
    """

    def run(self, ctx, params):
        asked = [(params["source"], FIRST_PORT + number, target, 7) for target, number in self.each(params)]
        ports = ports_of(asked, params["input"], "udp")
        found = {target: Counter() for target in params["targets"]}
        for flow, port in zip(asked, ports):
            found[flow[2]][port] += 1
        ctx.set(
            "fabric.spread_v1",
            {target: {str(port): count for port, count in own.items()} for target, own in found.items()},
        )
        wrong = {}
        for target, own in found.items():
            said = _judge(ctx, target, own, params)
            wrong.setdefault(said, []).append(target)
        told = [f"{', '.join(targets)}: {said}" for said, targets in wrong.items() if said]
        if told:
            raise Failed("; ".join(told))

    def each(self, params):
        """Every target with every number of a flow."""
        return ((target, number) for target in params["targets"] for number in range(params["flows"]))


def _judge(ctx, target, found, params):
    """Judge one target; returns what is wrong with the paths to it, the same words for the same fault."""
    lost = found.pop(None, 0)
    if ctx.check(f"without_route.{target}", lost, "flows", max=0) == "failed":
        return "there is no route"
    used = ", ".join(f"{port} {count}" for port, count in sorted(found.items()))
    if ctx.check(f"paths.{target}", len(found), "paths", eq=params["paths"]) == "failed":
        return f"{len(found)} of {params['paths']} paths are used ({used}): look at the BGP sessions"
    share = round(min(found.values()) * params["paths"] / params["flows"], 3)
    if ctx.check(f"least_share.{target}", share, min=params["min_share"]) == "failed":
        return f"flows are spread unevenly ({used}): let the router hash ports (fib_multipath_hash_policy)"
    return ""
