# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State, frame size and speed of a switch's ports, by what its command line has answered."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.switch_command_answers import ports


class SwitchPorts(Scriptlet):
    """Whether ports of a switch are up, take frames of the right size and run at the right speed, by its answer."""

    options = {
        "told": {
            "type": "raw",
            "required": True,
            "description": "The answer to a command such as `show interfaces | json`",
        },
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports that must be up",
        },
        "mtu": {
            "type": "int",
            "default": 0,
            "description": "The size of the frames that they must take; 0 for any",
            "unit": "bytes",
        },
        "speed_mbps": {
            "type": "int",
            "default": 0,
            "description": "The speed that they must have; 0 for any",
            "unit": "Mbit/s",
        },
    }
    reads = ()
    writes = {"links.ports_v1": "For each port state, mtu (bytes) and speed_mbps (Mbit/s)"}
    needs = ("the answer of a switch, from an earlier step",)
    verdicts = {
        "failed": "a port is not there, down, or has another MTU or speed",
        "error": "the answer is not known here",
    }
    example = """
        - name: show_ports
          type: ansible
          module: arista.eos.eos_command
          hosts: switches
          args: {commands: ["show interfaces | json"]}
          writes: {switch.interfaces_v1: stdout.0}
          success: none
        - name: ports
          module: switch.ports
          hosts: switches
          delegate_to: localhost
          args: {told: "${switch.interfaces_v1}", ports: [Ethernet1, Ethernet2], mtu: 9214}
    """

    def run(self, ctx, params):
        found = ports(params["told"])
        ctx.set("links.ports_v1", found)
        missing = [port for port in params["ports"] if port not in found]
        wrong = [f"there is no port {', '.join(missing)}: correct its name in the inventory"] if missing else []
        wrong += [said for port in params["ports"] if port in found for said in _judge(ctx, port, found[port], params)]
        if wrong:
            raise Failed("; ".join(wrong))


def _judge(ctx, port, found, params):
    """Judge one port; yields what is wrong with it and what to do."""
    if ctx.check(f"state.{port}", found["state"], eq="up") == "failed":
        yield f"{port} is {found['state']}: check its cable, its transceiver and the port at the other end"
    for name, unit, said in (("mtu", "bytes", "takes frames of"), ("speed_mbps", "Mbit/s", "runs at")):
        if not params[name]:
            continue
        if found[name] is None:
            raise ValueError(f"the switch does not tell {name} of {port}")
        if ctx.check(f"{name}.{port}", found[name], unit, eq=params[name]) == "failed":
            yield f"{port} {said} {found[name]} {unit}, expected {params[name]}: correct its configuration"
