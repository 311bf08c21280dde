# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far the clocks of two hosts are apart, measured between them."""

from __future__ import annotations

import socket
import time

from rack_recipes import Failed, Scriptlet
from scriptlets.clock.serve import ASKED, TOLD, whole
from scriptlets.tools.limits import judge

PAUSE = 0.02  # seconds between two questions


class ClockPairwise(Scriptlet):
    """The offset of the peer's clock, in seconds: positive where it is ahead.

    As NTP does it (RFC 5905, section 8): of several questions that with the shortest way counts, and the offset is
    known to half of that way. The step is of scope pair, with `clock.serve` as its serving side. No time server is
    asked, so it also finds two hosts that follow different ones. Without a limit it is measured only.
    """

    options = {
        "peer": {"type": "str", "required": True, "description": "The address of the other end: `${peer.address}`"},
        "port": {
            "type": "int",
            "required": True,
            "description": "Where it answers: `${peer.port}`",
            "unit": "TCP port",
        },
        "name": {"type": "str", "description": "What it is called: `${peer.name}`; by default its address"},
        "questions": {"type": "int", "default": 20, "description": "How often it is asked", "unit": "questions"},
        "wait": {"type": "float", "default": 1, "description": "How long an answer may take", "unit": "s"},
        "max_offset": {"type": "float", "description": "How far both clocks may be apart", "unit": "s"},
    }
    reads = ()
    writes = ()
    needs = ()
    verdicts = {
        "failed": "both clocks are further apart than max_offset",
        "error": "the peer does not answer, or the way to it takes too long to tell",
    }
    example = """
        - name: clocks
          scope: pair
          hosts: servers
          module: clock.pairwise
          args: {peer: "${peer.address}", port: "${peer.port}", name: "${peer.name}", max_offset: 0.001}
          serve: {module: clock.serve, args: {port: "${own.port}"}}
    """

    def run(self, ctx, params):
        """Ask, and judge the answer that came fastest."""
        answers = [*asked(params)]
        if not answers:
            raise ValueError(
                f"{params['peer']} port {params['port']} gave no answer to {params['questions']} questions: "
                "look at its address and at the firewall"
            )
        way, offset = min(answers)
        limit = params["max_offset"]
        ctx.measure("round_trip", round(way, 9), "s")
        if limit is not None and abs(abs(offset) - limit) <= way / 2:
            raise ValueError(
                f"the clocks are {abs(offset):.6f} s apart, known to {way / 2:.6f} s: too little to judge "
                f"max_offset {limit:g}; take a network that is less busy"
            )
        if judge(ctx, "offset", round(offset, 9), "s", min=None if limit is None else -limit, max=limit) == "failed":
            raise Failed(
                f"the clock of {params['name'] or params['peer']} is {abs(offset):.6f} s "
                f"{'ahead' if offset > 0 else 'behind'}, max {limit:g}: "
                "compare what both follow (chronyc sources)"
            )


def asked(params):
    """For each answer the time of its way and the offset of the peer's clock, in seconds."""
    try:
        with socket.create_connection((params["peer"], params["port"]), params["wait"]) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _number in range(params["questions"]):
                link.sendall(ASKED.pack(time.time()))
                data = whole(link, TOLD)
                back = time.time()
                if not data:
                    return
                sent, came, went = TOLD.unpack(data)
                yield (back - sent) - (went - came), ((came - sent) + (went - back)) / 2
                time.sleep(PAUSE)
    except OSError:  # nobody listens, or there is no answer in time
        return
