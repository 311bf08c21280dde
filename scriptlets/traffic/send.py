# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sending end of a stream of packets between two hosts."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from ansible_collections.rack.recipes.plugins.module_utils.live_client import LiveError
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from scriptlets.tools.live_stream import packet, sender


class Send(Scriptlet):
    """Sends numbered packets at an even rate to another host, from when that one listens.

    It ends after `seconds`, or as soon as a step sends the message `FLOW.stop` (`traffic.disturb` does), and then tells
    how many it has sent.
    """

    options = {
        "flow": {
            "type": "str",
            "default": "traffic",
            "description": "The name of the stream, the same at both ends",
        },
        "rate": {
            "type": "float",
            "default": 500,
            "description": "How many packets are sent a second",
            "unit": "packets/s",
        },
        "seconds": {
            "type": "float",
            "default": 10,
            "min": 0,
            "max": 86_400,
            "description": "How long packets are sent at most",
            "unit": "s",
        },
        "timeout": {
            "type": "float",
            "default": 60,
            "description": "How long the other end may take until it listens",
            "unit": "s",
        },
    }
    live = True
    reads = ()
    writes = ()
    needs = ("a server for the run: `rack-recipes run --serve`",)
    verdicts = {"error": "the other end did not listen in time"}
    example = """
        - name: send
          module: traffic.send
          hosts: senders
          args: {rate: 1000, seconds: 30}
          success: none
    """

    def run(self, ctx, params):
        """Wait for the other end, send, and tell the total."""
        live, flow = ctx.live, params["flow"]
        there = live.wait(f"{flow}.listens", timeout=params["timeout"])
        stop = threading.Event()
        watch = threading.Thread(target=_watch, args=(live, flow, params["seconds"], stop), daemon=True)
        watch.start()
        with sender(there["address"], there["port"]) as link:
            sent = _stream(link, 1 / params["rate"], stop)
        live.send(f"{flow}.sent", sent)
        ctx.measure("sent", sent, "packets")


def _watch(live, flow, seconds, stop):
    """Set `stop` when a step tells to end, or after some seconds."""
    with suppress(LiveError):  # nobody has told it, or the server is gone: the stream ends in any case
        live.wait(f"{flow}.stop", timeout=seconds)
    stop.set()


def _stream(link, pause, stop):
    """Send until `stop` is set; returns how many packets were sent."""
    due, number = time.monotonic(), 0
    while not stop.is_set():
        with suppress(OSError):  # such as no route while a link is down: it counts as sent, and is lost
            link.send(packet(number))
        number += 1
        due = max(due + pause, time.monotonic())  # what was missed is not sent all at once later
        stop.wait(due - time.monotonic())
    return number
