# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet that uses more than it may."""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Eats(Scriptlet):
    """Takes memory."""

    options = {"mib": {"type": "int", "required": True}}

    def run(self, ctx, params):
        ctx.set("h.eaten_v1", len(bytearray(params["mib"] * 1024 * 1024)))
