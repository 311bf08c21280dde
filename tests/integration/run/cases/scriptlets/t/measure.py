# SPDX-License-Identifier: GPL-3.0-or-later

"""The measuring side of t.serve."""

import socket
import time

from rack_recipes import Failed, Scriptlet


class Measure(Scriptlet):
    """Asks the server for its name; slow nodes have 10 in place of 100."""

    options = {
        "name": {"type": "str", "required": True},
        "peer": {"type": "str", "required": True},
        "peer_name": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "slow": {"type": "list", "elements": "str", "default": []},
        "seconds": {"type": "float", "default": 0},
    }
    reads = ()
    writes = ("t.peer_v1",)

    def run(self, ctx, params):
        with socket.create_connection((params["peer"], params["port"]), 10) as link:
            told = link.recv(100).decode()
        time.sleep(params["seconds"])
        ctx.set("t.peer_v1", told)
        ctx.check("served_by", told, eq=params["peer_name"])
        is_slow = {params["name"], params["peer_name"]} & {*params["slow"]}
        if ctx.check("rate", 10 if is_slow else 100, "Mbit/s", min=50) == "failed":
            raise Failed("10 Mbit/s, min 50")
