# SPDX-License-Identifier: GPL-3.0-or-later

"""A step that waits for what does not come."""

from __future__ import annotations

from rack_recipes import Scriptlet


class Waits(Scriptlet):
    """Waits for a message, and tells before that it does."""

    options = {
        "seconds": {"type": "float", "default": 100.0},
        "on_lost": {"type": "str", "default": "error"},
        "abort": {"type": "bool", "default": False},
    }
    live = True

    def run(self, ctx, params):
        """Wait; or abort once the other one waits."""
        if params["abort"]:
            ctx.live.wait("waits", timeout=100)
            ctx.live.abort("link is down")
            return
        ctx.live.send("waits", timeout=max(10.0, params["seconds"]), on_lost=params["on_lost"])
        ctx.set("got_v1", ctx.live.wait("go", timeout=params["seconds"], on_lost=params["on_lost"]))
