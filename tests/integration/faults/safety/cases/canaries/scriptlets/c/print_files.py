# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints files, and says what it was given without showing it."""

import sys
from hashlib import sha256
from pathlib import Path

from scriptlets.c.print_in_every_form import tell

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Cats(Scriptlet):
    options = {
        "files": {"type": "list", "elements": "path", "required": True},
        "given": {"type": "str", "required": True},
    }

    def run(self, ctx, params):
        tell(Path(file).read_text(encoding="utf-8") for file in params["files"])
        sys.stderr.write(params["given"])
        ctx.set("c.given_v1", sha256(params["given"].encode()).hexdigest())
        ctx.check("session", ctx.get("c.session_token_v1"), ne="********")
