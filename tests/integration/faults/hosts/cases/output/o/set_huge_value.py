# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet that mistakes the context for a disk."""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Huge(Scriptlet):
    """Sets a key to a value of some MB."""

    options = {"mb": {"type": "int", "required": True}}

    def run(self, ctx, params):
        ctx.set("o.huge_v1", "x" * params["mb"] * 1_000_000)
