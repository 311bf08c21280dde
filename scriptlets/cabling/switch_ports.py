# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ports of a switch see, by the switch's own API: NVUE or Arista's eAPI."""

from __future__ import annotations

from rack_recipes import Scriptlet
from scriptlets.tools.http_api import service
from scriptlets.tools.switch_tables import READERS


class SwitchPorts(Scriptlet):
    """State, speed and LLDP neighbours of each port of a switch, for `cabling.judge_links`.

    A switch that cannot be read, or that shows no ports, is an error.
    """

    options = {
        "url": {
            "type": "str",
            "required": True,
            "description": "https://ADDRESS of the switch's API",
        },
        "api": {
            "type": "str",
            "choices": ["nvue", "eapi"],
            "required": True,
            "description": "Which API the switch has: NVUE (Cumulus Linux), or Arista's eAPI",
        },
        "user": {"type": "str", "default": ""},
        "password": {"type": "str", "default": "", "no_log": True},
        "timeout": {"type": "float", "default": 5},
        "verify": {"type": "bool", "default": True},
    }
    reads = ()
    writes = {
        "switch.ports_v1": (
            "For each port `up`, `speed_gbps` (Gbit/s) and `seen`: the neighbours with system, chassis, port and MAC"
        )
    }
    needs = (
        "a switch with NVUE or eAPI",
        "it runs on another machine",
    )
    verdicts = {
        "error": "the switch does not answer, refuses the user, or shows no ports",
    }
    example = """
        - name: switch_ports
          module: cabling.switch_ports
          hosts: switches
          delegate_to: localhost
          args:
            url: "{{ switch_url }}"
            api: nvue
            user: operator
            password: "{{ switch_password }}"
    """

    def run(self, ctx, params):
        with service(params) as api:
            found = READERS[params["api"]](api)
        if not found:
            raise ValueError(f"{params['url']} shows no ports: check the address, and which API the switch has")
        ctx.set("switch.ports_v1", found)
        ctx.measure("ports_up", sum(port["up"] for port in found.values()), "ports")
        ctx.check("ports", len(found), "ports", min=1)
