# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throughput between two hosts, both ways, by iperf3: the measuring side."""

from __future__ import annotations

import time

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run
from scriptlets.tools.iperf3 import again_per_gigabyte, decoded, read
from scriptlets.tools.limits import amount

MARGIN = 15  # seconds that a test may take beyond its time
SETTLE, PAUSE = 5.0, 0.2  # seconds within which a server has ended the last test, and between two tries
BUSY = ("busy running a test", "Connection reset by peer")  # what iperf3 says until then
WAYS = {"there": (), "back": ("-R",)}  # what is sent to the peer, and what comes from it


class Pair(Scriptlet):
    """Mbit/s and retransmissions of the link between this host and its peer, first there and then back.

    The step is of scope pair, with `traffic.serve` as its serving side: the verdict is about the link, and names both
    ends. Without limits the numbers are measured only.
    """

    options = {
        "peer": {"type": "str", "required": True, "description": "The address of the other end: `${peer.address}`"},
        "port": {
            "type": "int",
            "required": True,
            "description": "Where it listens: `${peer.port}`",
            "unit": "TCP port",
        },
        "seconds": {
            "type": "int",
            "default": 2,
            "min": 1,
            "max": 86_400,
            "description": "For how long each way is measured",
            "unit": "s",
        },
        "streams": {
            "type": "int",
            "default": 4,
            "description": "With how many connections at once; one alone seldom fills a link of 25 Gbit/s or more",
            "unit": "flows",
        },
        "min_mbits": {
            "type": "float",
            "description": "The least rate of each way; take it from good links of the same kind",
            "unit": "Mbit/s",
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
        "failed": "a way is too slow, or sends too much again",
        "error": "iperf3 is not installed, or the other end is not reached",
    }
    example = """
        - name: link
          scope: pair
          hosts: servers
          module: traffic.pair
          args: {peer: "${peer.address}", port: "${peer.port}", min_mbits: 9000}
          serve: {module: traffic.serve, args: {port: "${own.port}"}}
    """

    def run(self, ctx, params):
        """Measure both ways, one after the other, and judge each."""
        wrong = []
        for way, more in WAYS.items():
            found = read(measured(params, more))
            wrong += _judged(ctx, way, found["mbits"], again_per_gigabyte(found), params)
        if wrong:
            raise Failed(f"{'; '.join(wrong)}: test the cable, both ports and the path between them")


def measured(params, more, busy=BUSY):
    """What iperf3 says of one way; it is asked again while it says one of the words in `busy`.

    Raises ValueError where it says nothing in time.
    """
    argv = ("iperf3", "-c", params["peer"], "-p", str(params["port"]), "-J", "-t", str(params["seconds"]))
    until = time.monotonic() + SETTLE
    while True:
        told = decoded(run((*argv, "-P", str(params["streams"]), *more), (0, 1), seconds=params["seconds"] + MARGIN))
        if not any(word in str(told.get("error")) for word in busy) or time.monotonic() > until:
            return told
        time.sleep(PAUSE)


def _judged(ctx, way, mbits, again, params):
    """Judge one way; yields what is wrong with it."""
    for name, value, unit, word, bound in (
        ("mbits", mbits, "Mbit/s", "min", params["min_mbits"]),
        ("retransmits", again, "1/GB", "max", params["max_retransmits"]),
    ):
        if bound is None:
            ctx.measure(f"{name}_{way}", value, unit)
        elif ctx.check(f"{name}_{way}", value, unit, **{word: bound}) == "failed":
            yield f"{way}: {amount(value)} {unit}, {word} {amount(bound)}"
