# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet that mistakes the context for a disk."""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Huge(Scriptlet):
    """Sets a key to a value of some MB."""

    options = {"mb": {"type": "int", "required": True}}

    def run(self, ctx, params):
        ctx.set("o.huge_v1", "x" * params["mb"] * 1_000_000)
