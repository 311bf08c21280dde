# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts that send to one at once, by iperf3: the side of each sender."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.iperf3 import again_per_gigabyte, is_early, read
from scriptlets.tools.limits import amount, judge
from scriptlets.traffic.pair import BUSY, WAYS, measured

EARLY = ("unable to connect", "Connection refused")  # one of its servers does not listen yet
ADVICE = "look at the buffers and drops of the switch's port to the receiver, and at this host's own link"


class FabricIncast(Scriptlet):
    """What this host gets of a receiver to which all others of its group send at the same time, and what is sent again.

    The step is of scope group; its first member serves (`traffic.serve`). With `back` that one then sends to all.
    `receiver_mbits` is what one sender alone reaches. A part is counted of the even share of it. Without limits the
    numbers are measured only.
    """

    options = {
        "peer": {"type": "str", "required": True, "description": "The address of the receiver: `${peer.address}`"},
        "port": {
            "type": "int",
            "required": True,
            "description": "Where it listens for the first sender: `${peer.port}`",
            "unit": "TCP port",
        },
        "rank": {
            "type": "int",
            "required": True,
            "description": "Which sender this is: `${own.rank}`",
            "unit": "number",
        },
        "members": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "All hosts of the group: `${own.members}`",
        },
        "back": {"type": "bool", "default": False, "description": "Whether the receiver then sends to all others"},
        "seconds": {
            "type": "int",
            "default": 5,
            "min": 1,
            "max": 86_400,
            "description": "For how long each way is measured",
            "unit": "s",
        },
        "streams": {
            "type": "int",
            "default": 1,
            "description": "With how many connections each host sends",
            "unit": "flows",
        },
        "receiver_mbits": {
            "type": "float",
            "description": "What the receiver takes in all; take it from `traffic.pair` between good hosts",
            "unit": "Mbit/s",
        },
        "min_share": {
            "type": "float",
            "default": 50,
            "description": "The least part of its even share of `receiver_mbits` that a sender must get",
            "unit": "%",
            "source": "our choice: TCP shares a port unevenly for seconds, while after a loss that its timer has to "
            "find, a flow of a fast network stands still for 200 ms and more",
        },
        "max_retransmits": {
            "type": "float",
            "description": "How many segments may be sent again for each gigabyte",
            "unit": "1/GB",
        },
    }
    reads = ()
    writes = ()
    needs = ("iperf3 (Debian: iperf3)",)
    verdicts = {
        "failed": "a sender gets too little, or sends too much again",
        "error": "iperf3 is not installed, or the receiver is not reached",
    }
    example = """
        - name: incast
          scope: group
          hosts: servers
          members: {by: rack}
          module: fabric.incast
          args:
            peer: "${peer.address}"
            port: "${peer.port}"
            rank: "${own.rank}"
            members: "${own.members}"
            receiver_mbits: 9000
          serve: {module: traffic.serve, args: {port: "${own.port}", members: "${own.members}"}}
    """

    def run(self, ctx, params):
        """Measure, with `back` both ways, and judge each."""
        if len(params["members"]) < 2:
            raise ValueError(
                f"members has {len(params['members'])} host: give it ${{own.members}}, in a step of scope group"
            )
        own = {**params, "port": params["port"] + params["rank"] - 1}
        ways = WAYS if params["back"] else {"there": WAYS["there"]}
        wrong = []
        for way, more in ways.items():
            wrong += _judged(ctx, way, _told(own, more), params)
        if wrong:
            raise Failed(f"{'; '.join(wrong)}: {ADVICE}")


def _told(own, more):
    """What iperf3 measured. Raises ValueError, which says of a receiver that does not listen how it is made to."""
    told = measured(own, more, (*BUSY, *EARLY))
    said = str(told.get("error", "no connection"))  # iperf3 3.9 says nothing
    if is_early(told) and any(word in said for word in (*EARLY, "no connection")):
        raise ValueError(
            f"nobody listens for sender {own['rank']} at {own['peer']}, port {own['port']} ({said}): each "
            'sender needs a port of its own, so write serve: {module: traffic.serve, args: {port: "${own.port}", '
            'members: "${own.members}"}}; else look whether a firewall is between them'
        )
    return read(told)


def _judged(ctx, way, found, params):
    """Judge one way; yields what is wrong with it."""
    again, bound = again_per_gigabyte(found), params["max_retransmits"]
    ctx.measure(f"mbits_{way}", found["mbits"], "Mbit/s")
    if params["receiver_mbits"]:
        even = params["receiver_mbits"] / (len(params["members"]) - 1)
        share = round(100 * found["mbits"] / even, 1)
        if ctx.check(f"share_{way}", share, "%", min=params["min_share"]) == "failed":
            yield f"{way}: {amount(found['mbits'])} Mbit/s, {share:g} % of an even share, min {params['min_share']:g}"
    if judge(ctx, f"retransmits_{way}", again, "1/GB", max=bound) == "failed":
        yield f"{way}: {amount(again)} 1/GB, max {amount(bound)}"
