# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet that fills the context."""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Many(Scriptlet):
    """Sets very many keys."""

    options = {"keys": {"type": "int", "required": True}}

    def run(self, ctx, params):
        for number in range(params["keys"]):
            ctx.set(f"o.many.k{number}_v1", number)
