# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routes of a router that runs FRR, and over how many paths they go."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run_json


class FabricRoutes(Scriptlet):
    """Whether a router (FRR) reaches each network, over as many paths as expected."""

    options = {
        "prefixes": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The networks that must be reached, such as 10.1.2.0/24",
        },
        "paths": {
            "type": "int",
            "default": 1,
            "description": "Over how many paths of equal length at least",
            "unit": "paths",
        },
    }
    reads = ()
    writes = {"fabric.routes_v1": "A list with `prefix` and the neighbours `through` which it is reached"}
    needs = (
        "FRR's vtysh",
        "root or the group frrvty",
    )
    verdicts = {
        "failed": "a network is not reached, is dropped by a route (blackhole), or is reached over too few paths",
        "error": "vtysh is not there, or does not answer",
    }
    example = """
        - name: routes
          module: fabric.routes
          hosts: leaves
          become: true
          args: {prefixes: [10.1.2.0/24, 10.1.3.0/24], paths: 2}
    """

    def run(self, ctx, params):
        told = run_json(("vtysh", "-c", "show ip route json")) or {}
        found = {prefix: paths(told.get(prefix)) for prefix in params["prefixes"]}
        ctx.set("fabric.routes_v1", [{"prefix": prefix, "through": through} for prefix, through in found.items()])
        dropped = {prefix for prefix in found if any(hop.get("unreachable") for hop in hops(told.get(prefix)))}
        said = [_judge(ctx, prefix, through, params["paths"], prefix in dropped) for prefix, through in found.items()]
        wrong = [each for each in said if each]
        if wrong:
            raise Failed("; ".join(wrong))


def hops(routes):
    """The next hops of a network that the kernel uses, from FRR's JSON; a blackhole is one that is `unreachable`."""
    used = [hop for route in routes or () if route.get("installed") for hop in route.get("nexthops", ())]
    return [hop for hop in used if hop.get("fib")]


def paths(routes):
    """The ports over which a network is really sent."""
    return sorted(hop.get("interfaceName", "") for hop in hops(routes) if not hop.get("unreachable"))


def _judge(ctx, prefix, found, expected, is_dropped):
    """Judge one network; returns what is wrong with it."""
    if ctx.check(f"paths.{prefix}", len(found), "paths", min=expected) == "passed":
        return ""
    if is_dropped:
        return f"{prefix} is dropped by a route of this router: look at `ip route show {prefix}`"
    if not found:
        return f"{prefix} is not reached"
    return f"{prefix} is reached over {len(found)} of {expected} paths ({', '.join(found)})"
