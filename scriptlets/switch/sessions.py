# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The BGP sessions of a switch, by what its command line has answered."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.fabric.sessions import judge
from scriptlets.tools.command_answers import sessions


class SwitchSessions(Scriptlet):
    """Whether the session with each peer is established, and how many networks it brings.

    `told` is the answer to a command such as `show ip bgp summary | json`. `peers` are addresses, or ports where a
    session has no number. The checks have the names that those of a router have (`fabric.sessions`).
    """

    options = {
        "told": {"type": "raw", "required": True},
        "peers": {"type": "list", "elements": "str", "required": True},
        "min_prefixes": {"type": "int", "default": 1},
    }
    reads = ()
    writes = ("fabric.bgp_v1",)

    def run(self, ctx, params):
        found = sessions(params["told"])
        ctx.set("fabric.bgp_v1", found)
        wrong = [said for peer in params["peers"] for said in judge(ctx, peer, found.get(peer), params)]
        if wrong:
            raise Failed("; ".join(wrong))
