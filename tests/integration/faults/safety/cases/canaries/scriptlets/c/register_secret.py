# SPDX-License-Identifier: GPL-3.0-or-later

"""Registers a secret that it finds on its host."""

from hashlib import sha256
from pathlib import Path

from scriptlets.c.print_in_every_form import tell

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Registers(Scriptlet):
    options = {"file": {"type": "path", "required": True}}

    def run(self, ctx, params):
        token = Path(params["file"]).read_text(encoding="utf-8")
        print("found", token)
        ctx.secret(token)
        tell([token])
        ctx.set("c.box_v1", {"in": token})
        ctx.set("c.session_token_v1", token + "/session")
        found = Path(params["file"]).with_name("found").read_text(encoding="utf-8")  # which only its name tells
        tell([found])
        ctx.set("c.login_v1", {"user": "root", "logins": [{"password": found}]})
        ctx.measure("login", {"password": found})
        ctx.attach("login.txt", found.encode())
        ctx.set("c.made_v1", sha256(token.encode()).hexdigest())
        ctx.set("c.found_v1", sha256(found.encode()).hexdigest())
        ctx.check("length", len(token), min=1)
