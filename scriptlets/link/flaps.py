# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports that have lost their carrier between this run and the one before."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet, Skipped

PORTS, START = "links.ports_v1", "host.start_v1"
NAMED = 10  # ports in a reason


class LinkFlaps(Scriptlet):
    """Ports that have lost their carrier since the last run of this test, by the kernel's counters.

    A link that flaps between two looks is up at both, and what the counter says of the time before says nothing of now.
    A host that has started anew in between is left out, since its counters began anew, too.
    """

    scope = "run"
    options = {
        "max_downs": {
            "type": "int",
            "default": 2,
            "description": "How often a port may have lost its carrier since then",
            "unit": "times",
            "source": "our choice: the neighbour may have been started anew, and had its power switched",
        },
    }
    reads = ("links.ports_v1", "host.start_v1")
    reads_history = ("links.ports_v1", "host.start_v1")
    writes = {"links.flaps_v1": "By host and port how often it has lost its carrier since the last run (times)"}
    needs = ("links.ports_v1 and host.start_v1 of link.ports, of an earlier run of the same test as well",)
    verdicts = {
        "failed": "a port has lost its carrier more often",
        "skipped": "there is no earlier run to compare with, or all hosts have started anew",
    }
    example = """
        - name: ports
          module: link.ports
          args: {ports: [eth0]}
        - name: flaps
          module: link.flaps
          scope: run
          depends_on: [ports]
    """

    def run(self, ctx, params):
        before = {row["host"]: (row["run"], row["value"]) for row in ctx.history(PORTS)}
        starts = {(row["run"], row["host"]): row["value"] for row in ctx.history(START)}
        now = ctx.values(START)
        same = {host for host, (run, _ports) in before.items() if host in now and starts.get((run, host)) == now[host]}
        ports_now = {host: ports for host, ports in ctx.values(PORTS).items() if host in same}
        known = {host: own for host, ports in ports_now.items() if (own := lost(before[host][1], ports))}
        if not known:
            raise Skipped("no host has counters of an earlier run that have gone on since")
        ctx.set("links.flaps_v1", known)
        ports = [(f"{host} {port}", count) for host, own in known.items() for port, count in own.items()]
        worst = max((count for _port, count in ports), default=0)
        if ctx.check("most_downs", worst, "times", max=params["max_downs"]) == "failed":
            bad = sorted((one for one in ports if one[1] > params["max_downs"]), key=lambda one: (-one[1], one[0]))
            told = ", ".join(f"{port} {count} times" for port, count in bad[:NAMED])
            more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
            raise Failed(f"carrier lost since the last run: {told}{more}: look at cable and optics of both ends")


def lost(before, now):
    """How often each port of a host has lost its carrier since an earlier look; those that both looks have counted."""
    counted = {port: (before[port].get("downs"), own["downs"]) for port, own in now.items() if port in before}
    return {port: after - then for port, (then, after) in counted.items() if None not in (then, after)}
