# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The receiving end of a stream of packets between two hosts: what is lost, and the longest gap."""

from __future__ import annotations

import socket
import time

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.tools.live_stream import is_told, received, receiver


class Receive(Scriptlet):
    """Receives numbered packets from another host, as long as that one sends, and judges what was lost.

    It tells by the live bus when it listens, when packets arrive, when they stop and when they are back. So no end has
    to guess what the other one does.
    """

    options = {
        "address": {
            "type": "str",
            "required": True,
            "description": "The address of this host over which the packets come",
        },
        "flow": {
            "type": "str",
            "default": "traffic",
            "description": "The name of the stream, the same at both ends",
        },
        "gap_ms": {
            "type": "float",
            "default": 100,
            "description": "After this time without a packet the stream counts as interrupted",
            "unit": "ms",
        },
        "max_gap_ms": {
            "type": "float",
            "description": "The longest time without a packet; by default that is only measured",
            "unit": "ms",
        },
        "max_lost_percent": {
            "type": "float",
            "default": 0,
            "description": "How many packets may be lost",
            "unit": "%",
            "source": "none here: a path that nothing disturbs and that is not overloaded loses nothing",
        },
        "timeout": {
            "type": "float",
            "default": 60,
            "description": "How long the other end may take to begin",
            "unit": "s",
        },
    }
    live = True
    reads = ()
    writes = {"traffic.received_v1": "sent and received (packets), gap_ms (ms) and gaps (times)"}
    needs = ("a server for the run: `rack-recipes run --serve`",)
    verdicts = {
        "failed": "more packets were lost than allowed, or none came for too long",
        "error": "the other end did not send in time",
    }
    example = """
        - name: receive
          module: traffic.receive
          hosts: receivers
          args: {address: "{{ ansible_host }}", max_gap_ms: 50}
    """

    def run(self, ctx, params):
        """Listen, say so, and count until the other end has told how much it has sent."""
        live, flow = ctx.live, params["flow"]
        with receiver(params["address"], params["gap_ms"] / 1000) as link:
            live.send(f"{flow}.listens", {"address": params["address"], "port": link.getsockname()[1]})
            found = _count(link, live, flow, params)
        ctx.set("traffic.received_v1", found)
        wrong = []
        lost = 100 * (1 - found["received"] / found["sent"]) if found["sent"] else 100.0
        if ctx.check("lost", round(lost, 3), "%", max=params["max_lost_percent"]) == "failed":
            wrong.append(f"{found['sent'] - found['received']} of {found['sent']} packets were lost")
        if params["max_gap_ms"] is None:
            ctx.measure("gap", found["gap_ms"], "ms")
        elif ctx.check("gap", found["gap_ms"], "ms", max=params["max_gap_ms"]) == "failed":
            wrong.append(f"no packet came for {found['gap_ms']} ms")
        if wrong:
            raise Failed(f"{'; '.join(wrong)}: look at the errors and drops of the ports between both hosts")


class _Counter:
    """What has arrived so far: the numbers of packets, and the times of the first and last of them, in seconds."""

    def __init__(self):
        self.seen = set()
        self.last = None
        self.longest = 0.0
        self.gaps = 0
        self.is_interrupted = False

    def add(self, number, moment):
        """Add a packet; returns for how long none had come, in seconds."""
        gap = moment - self.last if self.last is not None else 0.0
        self.longest, self.last = max(self.longest, gap), moment
        self.seen.add(number)
        return gap


def _count(link, live, flow, params):
    """What has arrived by the time at which the other end has told its total."""
    counter, until = _Counter(), time.monotonic() + params["timeout"]
    while True:
        try:
            number, moment = received(link)
        except socket.timeout:
            sent = is_told(live, f"{flow}.sent")
            if sent is not None:
                gap_ms = round(1000 * counter.longest, 1)
                return {"sent": sent, "received": len(counter.seen), "gap_ms": gap_ms, "gaps": counter.gaps}
            if counter.last is None and time.monotonic() > until:
                raise ValueError(
                    f"no packet came within {params['timeout']:g} s: look at the step that sends"
                ) from None
            if counter.last is not None and not counter.is_interrupted:
                counter.is_interrupted, counter.gaps = True, counter.gaps + 1
                live.send(f"{flow}.gap")
            continue
        is_first = counter.last is None
        gap = counter.add(number, moment)
        if is_first:
            live.send(f"{flow}.flows")
        elif counter.is_interrupted:
            counter.is_interrupted = False
            live.send(f"{flow}.back", round(1000 * gap, 1))
