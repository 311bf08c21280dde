# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a long secret, which a trace of variables cuts, and cuts it itself, before it says that it is one."""

from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.decorators import debug_trace
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Cuts(Scriptlet):
    options = {"file": {"type": "path", "required": True}}

    @debug_trace
    def run(self, ctx, params):
        text = Path(params["file"]).read_text(encoding="utf-8")
        head, tail = text[:20], text[-20:]
        parts = [text[at : at + 16] for at in range(0, 160, 16)]
        found = {"head": head, "in a text": f"it begins with {head} and ends with {tail}", "parts": parts}
        ctx.secret(text)
        return 0 if found else 1
