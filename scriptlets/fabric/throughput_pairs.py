# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The throughput of all pairs of hosts against each other: pairs and flows that are much slower are named."""

from __future__ import annotations

from statistics import median

from rack_recipes import Failed, Scriptlet

NAMED = 6  # pairs in a reason


class ThroughputPairs(Scriptlet):
    """Each direction of each pair against the median of all pairs, and its slowest flow against that of all flows.

    What a pair can reach depends on the machines' processors as well as on their network. So pairs are compared
    with each other. One slow flow beside fast ones means that one of several equal paths is slow.
    """

    scope = "run"
    options = {
        "min_share": {
            "type": "float",
            "default": 0.2,
            "description": "The least rate of a pair, as a part of the median of all pairs",
            "source": "our choice: hosts that share cores differ by less, a slow link by more",
            "unit": "part of the median",
        },
        "min_flow_share": {
            "type": "float",
            "default": 0.05,
            "description": "The least rate of a flow, as a part of the median of all flows",
            "source": "our choice: flows of one pair differ much more than pairs",
            "unit": "part of the median",
        },
    }
    reads = ("throughput.pairs_v1",)
    writes = {
        "throughput.summary_v1": (
            "`pairs` (their number), median_mbits and least_mbits (Mbit/s), and what is `slow`, in words"
        )
    }
    needs = ("throughput.pairs_v1 of the hosts (fabric.throughput)",)
    verdicts = {
        "failed": "a pair or one of its flows is much slower than the others",
        "error": "no host has measured its throughput",
    }
    example = """
        - name: throughput
          module: fabric.throughput
          hosts: servers
          args:
            peers: {server1: 10.1.1.11, server2: 10.1.2.12}
        - name: compare_pairs
          module: fabric.throughput_pairs
          scope: run
          depends_on: [throughput]
    """

    def run(self, ctx, params):
        pairs = [pair for told in ctx.values("throughput.pairs_v1").values() for pair in told]
        if not pairs:
            raise ValueError("no host has measured its throughput: look at the step fabric.throughput")
        usual = median(pair["mbits"] for pair in pairs)
        of_flow = median(flow["mbits"] for pair in pairs for flow in pair["flows"])
        least, least_of_flow = round(usual * params["min_share"], 1), round(of_flow * params["min_flow_share"], 1)
        wrong = [said for pair in pairs if (said := _judge(ctx, pair, least, least_of_flow))]
        rates = {"median_mbits": round(usual, 1), "least_mbits": min(pair["mbits"] for pair in pairs)}
        ctx.set("throughput.summary_v1", {"pairs": len(pairs), **rates, "slow": wrong})
        ctx.measure("median", round(usual, 1), "Mbit/s")
        ctx.measure("retransmits", sum(pair["retransmits"] for pair in pairs), "segments")
        if wrong:
            more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
            raise Failed(f"half of all pairs reach {usual:g} Mbit/s; {'; '.join(wrong[:NAMED])}{more}")


def _judge(ctx, pair, least, least_of_flow):
    """Judge one direction of a pair; returns what is wrong with it."""
    way, said = f"{pair['from']}-{pair['to']}", f"{pair['from']} to {pair['to']}"
    if ctx.check(f"mbits.{way}", pair["mbits"], "Mbit/s", min=least) == "failed":
        return f"{said} only {pair['mbits']:g}: test the cables on the way"
    slow = [flow["mbits"] for flow in pair["flows"] if flow["mbits"] < least_of_flow]
    slowest = min(flow["mbits"] for flow in pair["flows"])
    if ctx.check(f"slowest_flow.{way}", slowest, "Mbit/s", min=least_of_flow) == "failed":
        return f"{said} {len(slow)} of {len(pair['flows'])} flows only {slowest:g}: one of several paths is slow"
    return ""
