# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throughput between every two hosts, by iperf3: all pairs in the fewest rounds, each host in one pair at a time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.commands import run
from scriptlets.tools.iperf3 import again_per_gigabyte, decoded, is_early, read
from scriptlets.tools.limits import amount
from scriptlets.tools.presence import absent, present
from scriptlets.tools.rounds import partners

MARGIN = 10  # seconds that a test may take beyond its time
PAUSE = 0.05  # seconds between two tries to reach a partner that is still in its last round


class Throughput(Scriptlet):
    """Mbit/s and retransmissions from this host to each other one, and back, by iperf3.

    The step runs on all hosts of `peers` at once, and begins when all of them show that they run, at `port`. Each
    direction of a pair uses a port of its own, from `port` + 1 on. No host is ever in two tests at the same time.
    Without limits the numbers are measured only.
    """

    options = {
        "peers": {
            "type": "dict",
            "required": True,
            "description": "NAME -> ADDRESS of all hosts, the same on each of them, this one among them",
        },
        "me": {
            "type": "str",
            "description": "The name of this host among them; by default that of the step's host",
        },
        "seconds": {
            "type": "int",
            "default": 1,
            "min": 1,
            "max": 86_400,
            "description": "For how long each direction of each pair sends",
            "unit": "s",
        },
        "at_once": {
            "type": "bool",
            "default": False,
            "description": "Whether both directions of a pair send at once, which takes half of the time",
        },
        "streams": {
            "type": "int",
            "default": 4,
            "description": "With how many connections at once",
            "unit": "flows",
        },
        "port": {
            "type": "int",
            "default": 5201,
            "description": "The first of the ports",
            "unit": "TCP port",
            "source": "iperf3's own",
        },
        "wait": {
            "type": "float",
            "default": 60,
            "description": (
                "A host that is not there after this time takes no part; the others go on and are an error"
            ),
            "unit": "s",
        },
        "min_mbits": {
            "type": "float",
            "description": "The least rate of each direction",
            "unit": "Mbit/s",
        },
        "max_retransmits": {
            "type": "float",
            "description": "How many segments may be sent again for each gigabyte",
            "unit": "1/GB",
        },
    }
    reads = ()
    writes = {
        "throughput.pairs_v1": (
            "A list of directions with `from`, `to`, mbits (Mbit/s), retransmits (segments), gigabytes (GB) "
            "and the single `flows`"
        )
    }
    needs = (
        "iperf3 (Debian: iperf3)",
        "all hosts at the same time (`-f`)",
    )
    verdicts = {
        "failed": "a direction is too slow, or sends too much again",
        "skipped": "`peers` have no other host, as in a run that is limited to one",
        "error": "a partner was not there, or iperf3 complains",
    }
    example = """
        - name: throughput
          module: fabric.throughput
          hosts: servers
          args:
            peers: {server1: 10.1.1.11, server2: 10.1.2.12}
            min_mbits: 9000
    """

    def run(self, ctx, params):
        peers, me = params["peers"], params["me"] or ctx.host
        if me not in peers:
            raise ValueError(f"peers have no {me}: expected this host among {', '.join(peers)}")
        if len(peers) == 1:
            raise Skipped(f"{me} is alone among the peers: there is no host to test with, see --limit")
        with present(peers[me], params["port"]):
            found, missed = self.measured(me, params)
        ctx.set("throughput.pairs_v1", found)
        wrong = [said for pair in found for said in _judge(ctx, pair, params)]
        if missed:
            raise ValueError("; ".join([*missed, *wrong]))
        if wrong:
            raise Failed("; ".join(wrong))
        ctx.check("partners", len(peers) - 1 - len(missed), "hosts", eq=len(peers) - 1)

    def measured(self, me, params):
        """What was measured with each partner, and what was wrong with the others."""
        peers, found, missed = params["peers"], [], []
        gone = absent({name: address for name, address in peers.items() if name != me}, params["port"], params["wait"])
        for number, pair in enumerate(partners([*peers], me)):
            if pair and pair[0] in gone:
                missed.append(f"{pair[0]} takes no part: look at its results, and let all hosts run at once (-f)")
            elif pair:
                try:
                    found += meet(me, pair[0], params, params["port"] + 1 + 2 * number, is_client=pair[1])
                except ValueError as error:
                    missed.append(f"{pair[0]}: {error}")
        return found, missed


def meet(me, partner, params, port, *, is_client):
    """Test with a partner, there and back. Returns what was measured on the client's side, nothing on the other."""
    ways = ((me, partner, ()), (partner, me, ("-R",)))
    width = len(ways) if params["at_once"] else 1
    if not is_client:
        seconds = params["wait"] + params["seconds"] + MARGIN
        _all([partial(serve, params["peers"][me], port + at, seconds) for at in range(len(ways))], width)
        return []
    address = params["peers"][partner]
    told = _all([partial(test, address, port + at, params, more) for at, (_from, _to, more) in enumerate(ways)], width)
    return [{"from": source, "to": to, **read(json_of)} for (source, to, _more), json_of in zip(ways, told)]


def _all(calls, width):
    """What each of these calls returns, `width` of them at once. Raises what the first of them has raised."""
    with ThreadPoolExecutor(width) as threads:
        return [each.result() for each in [threads.submit(call) for call in calls]]


def serve(address, port, seconds):
    """Serve a single test. Raises ValueError where nobody has come within `seconds`."""
    run(("iperf3", "-s", "-1", "-J", "-B", address, "-p", str(port)), (0, 1), seconds=seconds)


def test(address, port, params, more):
    """What iperf3 says of one test. Raises ValueError where the partner is not reached within `wait` seconds."""
    words = ("-t", str(params["seconds"]), "-P", str(params["streams"]), *more)
    until = time.monotonic() + params["wait"]
    while True:
        argv = ("iperf3", "-c", address, "-p", str(port), "-J", *words)
        told = decoded(run(argv, (0, 1), seconds=params["seconds"] + params["wait"]))
        if not is_early(told) or time.monotonic() > until:
            return told
        time.sleep(PAUSE)


def _judge(ctx, pair, params):
    """Judge one direction of a pair; yields what is wrong with it."""
    way = f"{pair['from']}-{pair['to']}"
    again = again_per_gigabyte(pair)
    for name, value, unit, limit in (
        ("mbits", pair["mbits"], "Mbit/s", {"min": params["min_mbits"]}),
        ("retransmits", again, "1/GB", {"max": params["max_retransmits"]}),
    ):
        if None in limit.values():
            ctx.measure(f"{name}.{way}", value, unit)
        elif ctx.check(f"{name}.{way}", value, unit, **limit) == "failed":
            ((word, bound),) = limit.items()
            said = f"{amount(value)} {unit}, {word} {amount(bound)}"
            yield f"{pair['from']} to {pair['to']}: {said}: test the cables on the way"
