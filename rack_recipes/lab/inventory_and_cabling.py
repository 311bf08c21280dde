# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of a virtual rack and its cabling plan, as files for Ansible and for people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from rack_recipes.lab import node_files, rack_pdus
from rack_recipes.lab.bmc import hardware_and_event_log as hardware
from rack_recipes.lab.bmc import ipmi_bmcs, redfish_bmcs
from rack_recipes.lab.node_files import COMMAND_LINE_PORT
from rack_recipes.lab.rack_state import RackState
from rack_recipes.lab.topology import LEAF, PLURALS, SERVER, SPINE, Node, Topology
from rack_recipes.private_files import FILE_MODE

INVENTORY, CABLES, SWITCHES = "inventory.yml", "cabling.yml", "switches.yml"
SSH = (
    "-o ProxyCommand='nsenter -t {pid} -n nc -w 5 %h %p' -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
    "-o ServerAliveInterval=2 -o ServerAliveCountMax=3"
)
"""How a node is reached; one that is away or hung is noticed within some seconds."""

COMMAND_LINE_PROXY = "nsenter -t {pid} -n nc %h %p"
"""How its command line is reached: the session of a persistent connection is silent between two steps."""

COMMANDS = {"version": "show version", "ports": "show interface json", "sessions": "show bgp summary json"}
"""What recipes/switches.yml asks FRR, which knows nothing of its neighbours."""


def write_inventory(topology: Topology, state: RackState) -> None:
    """Write all files into the rack's folder."""
    folder = state.folder
    held = make_inventory(topology, folder, state.pid)
    if state.has_bmcs or state.has_ipmi:
        add_bmcs(held, topology, folder / hardware.FOLDER)
    if state.has_pdus:
        add_pdus(held, topology)
    with open(os.open(folder / INVENTORY, os.O_WRONLY | os.O_CREAT, FILE_MODE), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(_yaml(held))
    (folder / SWITCHES).write_text(_yaml(make_switch_inventory(topology, folder, state.pid)), encoding="utf-8")
    (folder / CABLES).write_text(_yaml(cabling_plan(topology)), encoding="utf-8")


def make_inventory(topology: Topology, folder: Path, pid: int) -> dict[str, Any]:
    """The inventory as Ansible's YAML plugin reads it: a group for each role."""
    groups: dict[str, Any] = {
        PLURALS[role]: {"hosts": {node.name: _variables(node, topology) for node in topology.of_role(role)}}
        for role in PLURALS
    }
    groups[PLURALS[SERVER]]["vars"] = {"parts_golden": node_files.golden_parts(), "dmi_root": node_files.PLACE}
    reached = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(folder / "ssh_key"),
        "ansible_ssh_common_args": SSH.format(pid=pid),
        "ansible_control_path": f"%(directory)s/rack{pid}-%%h",  # another rack has nodes with the same addresses
        "cabling_plan": str(folder / CABLES),
    }
    return {"all": {"vars": reached, "children": groups}}


def make_switch_inventory(topology: Topology, folder: Path, pid: int) -> dict[str, Any]:
    """The inventory of the routers as a network team has it: devices with a command line, and without Python.

    FRR's command line is close enough to that of IOS for Ansible's connection and modules.
    """
    routers = [node for node in topology.nodes.values() if node.asn]
    reached = {
        "ansible_connection": "ansible.netcommon.network_cli",
        "ansible_network_os": "cisco.ios.ios",
        "ansible_port": COMMAND_LINE_PORT,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(folder / "ssh_key"),
        "ansible_libssh_proxy_command": COMMAND_LINE_PROXY.format(pid=pid),
        "ansible_host_key_checking": False,
        "switch_commands": COMMANDS,
    }
    return {"switches": {"vars": reached, "hosts": {node.name: _variables(node, topology) for node in routers}}}


def add_bmcs(held: dict[str, Any], topology: Topology, folder: Path) -> None:
    """Add to an inventory where each server's BMC is, who may use it, and from which node it is reached.

    Password and certificate are files in `folder`.
    """
    servers = held["all"]["children"][PLURALS[SERVER]]
    for node in topology.of_role(SERVER):
        pdu = rack_pdus.variables_of(node.name, topology)["pdu"]
        servers["hosts"][node.name].update({"bmc_address": node.bmc, "pdu": pdu})
    certificate = folder / redfish_bmcs.CERTIFICATE
    servers["vars"] |= {
        "bmc_port": redfish_bmcs.PORT,
        "ipmi_port": ipmi_bmcs.PORT,
        "bmc_user": hardware.USER,
        "bmc_password": (folder / hardware.PASSWORD).read_text(encoding="ascii").strip(),
        **({"bmc_ca": certificate.read_text(encoding="ascii")} if certificate.exists() else {}),
        "bmc_through": topology.of_role(SPINE)[0].name,
        "firmware_golden": dict(hardware.FIRMWARE.values()),
    }


def add_pdus(held: dict[str, Any], topology: Topology) -> None:
    """Add to an inventory which outlet of which PDU each server hangs on, and who may ask the PDUs."""
    servers = held["all"]["children"][PLURALS[SERVER]]
    for node in topology.of_role(SERVER):
        servers["hosts"][node.name].update(rack_pdus.variables_of(node.name, topology))
    servers["vars"] |= {
        "pdu_port": rack_pdus.PORT,
        "pdu_community": rack_pdus.COMMUNITY,
        "pdu_through": topology.of_role(SPINE)[0].name,
    }


def _variables(node: Node, topology: Topology) -> dict[str, Any]:
    peers = {port.name: topology.ports[port].other(port) for port in topology.ports_of(node.name)}
    own: dict[str, Any] = {
        "ansible_host": node.management,
        "role": node.role,
        "class": node.role,
        "rack": node.rack,
        "position": node.unit,
        "uplinks": [
            str(topology.ports[port].upper)
            for port in topology.ports_of(node.name)
            if topology.ports[port].lower == port
        ],
        "cables": {port: str(peer) for port, peer in peers.items()},
    }
    if node.role == SERVER:
        return {**own, "leaf": topology.leaf_of(node.name).name, "fabric_address": node.address}
    more = {"leaf": node.name, "prefix": node.prefix} if node.role == LEAF else {}
    routers = [port for port, peer in peers.items() if topology.nodes[peer.node].asn]
    return {**own, "asn": node.asn, "loopback": node.loopback, "bgp_ports": routers, **more}


def cabling_plan(topology: Topology) -> list[dict[str, str]]:
    """Each cable with both of its ends, as `a` and `b`."""
    return [{"a": str(cable.upper), "b": str(cable.lower)} for cable in topology.cables]


def _yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, width=120)
    return text
