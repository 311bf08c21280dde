# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes something down and up again while packets flow between two hosts."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.live_client import TimedOut
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from scriptlets.tools.commands import run


class Disturb(Scriptlet):
    """Runs a command that takes something down as soon as packets flow, and then one that brings it up again.

    It goes on as soon as the receiver tells that the packets stop, at the latest after `hold` seconds: redundant paths
    may carry on without a gap that counts. Once packets arrive again, the stream is told to end.
    """

    options = {
        "flow": {
            "type": "str",
            "default": "traffic",
            "description": "The name of the stream",
        },
        "down": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The command that takes something down, as a list of words",
        },
        "up": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The command that brings it up again; it runs in any case",
        },
        "hold": {
            "type": "float",
            "default": 5,
            "description": "How long to wait for a gap",
            "unit": "s",
        },
        "timeout": {
            "type": "float",
            "default": 60,
            "description": "How long packets may take to arrive, at first and again",
            "unit": "s",
        },
    }
    live = True
    reads = ()
    writes = ()
    needs = ("a server for the run: `rack-recipes run --serve`", "the right to run both commands")
    verdicts = {"error": "a command failed, or no packet arrived in time"}
    example = """
        - name: disturb
          module: traffic.disturb
          hosts: senders
          become: true
          args: {down: [ip, link, set, eth1, down], up: [ip, link, set, eth1, up]}
          success: none
    """

    def run(self, ctx, params):
        """Wait until packets flow, disturb them, wait until they are back, and end the stream."""
        live, flow = ctx.live, params["flow"]
        live.wait(f"{flow}.flows", timeout=params["timeout"])
        try:
            run(params["down"])
            has_gap = _waits(live, f"{flow}.gap", params["hold"])
        finally:
            run(params["up"])
        ctx.measure("gaps", int(has_gap), "times")
        if has_gap:
            ctx.measure("back", live.wait(f"{flow}.back", timeout=params["timeout"]), "ms")
        live.send(f"{flow}.stop")


def _waits(live, name, seconds):
    try:
        live.wait(name, timeout=seconds)
    except TimedOut:
        return False
    return True
