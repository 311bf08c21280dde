# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what all hosts have."""

import json
from hashlib import sha256

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Gathers(Scriptlet):
    scope = "run"
    reads = ("c.box_v1", "c.login_v1")

    def run(self, ctx, params):
        found = ctx.values("c.box_v1")
        print(json.dumps(found))
        ctx.set("c.gathered_v1", {host: sha256(box["in"].encode()).hexdigest() for host, box in found.items()})
        logins = {host: login["logins"][0]["password"] for host, login in ctx.values("c.login_v1").items()}
        ctx.set("c.gathered_logins_v1", {host: sha256(found.encode()).hexdigest() for host, found in logins.items()})
        ctx.check("hosts", len(found), eq=2)
