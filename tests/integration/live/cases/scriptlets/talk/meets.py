# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts meet in the middle of a stage."""

from __future__ import annotations

from rack_recipes import Scriptlet


class Meets(Scriptlet):
    """Listens for the other host, or talks to it."""

    options = {"other": {"type": "str", "required": True}, "first": {"type": "bool", "required": True}}
    live = True

    def run(self, ctx, params):
        """Tell the other one a key and a message, meet it, and count."""
        live, other = ctx.live, params["other"]
        if params["first"]:
            live.set("port.number_v1", 5001)
            live.send("listens", {"password": "s3cr3t-one", "port": 5001})
        else:
            ctx.measure("port", live.wait("listens", other)["port"])
            live.set("port.seen_v1", live.get("port.number_v1", host=other))
        live.sync("end", [ctx.host, other])
        live.increment("hosts.count_v1", scope="run")
        if live.once("winner"):
            ctx.measure("won", 1)
        live.sync("end", [ctx.host, other])
        ctx.check("hosts", live.get("hosts.count_v1"), eq=2)
