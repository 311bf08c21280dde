# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the BMCs whose system is on."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class AllOn(Scriptlet):
    """Writes the number of systems that are on."""

    scope = "run"

    def run(self, ctx, params):
        ctx.set("bmc.count_v1", sum(value["power"] == "On" for value in ctx.values("bmc.system_v1").values()))
