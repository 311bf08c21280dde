# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The BGP sessions of a switch, by what its command line has answered."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.fabric.sessions import judge
from scriptlets.tools.switch_command_answers import sessions


class SwitchSessions(Scriptlet):
    """Whether a switch has its BGP sessions, and how many networks each brings, by its answer."""

    options = {
        "told": {
            "type": "raw",
            "required": True,
            "description": "The answer to a command such as `show ip bgp summary | json`",
        },
        "peers": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "Addresses, or ports where a session has no number",
        },
        "min_prefixes": {
            "type": "int",
            "default": 1,
            "description": "How many networks each session must bring",
            "unit": "networks",
            "source": "a session that brings nothing is of no use",
        },
    }
    reads = ()
    writes = {"fabric.bgp_v1": "For each peer state, remote_as and prefixes (networks)"}
    needs = ("the answer of a switch, from an earlier step",)
    verdicts = {
        "failed": "a session is not established, or brings too little",
        "error": "the answer is not known here",
    }
    example = """
        - name: show_sessions
          type: ansible
          module: arista.eos.eos_command
          hosts: switches
          args: {commands: ["show ip bgp summary | json"]}
          writes: {switch.bgp_v1: stdout.0}
          success: none
        - name: sessions
          module: switch.sessions
          hosts: switches
          delegate_to: localhost
          args: {told: "${switch.bgp_v1}", peers: [10.0.0.1]}
    """

    def run(self, ctx, params):
        found = sessions(params["told"])
        ctx.set("fabric.bgp_v1", found)
        wrong = [said for peer in params["peers"] for said in judge(ctx, peer, found.get(peer), params)]
        if wrong:
            raise Failed("; ".join(wrong))
