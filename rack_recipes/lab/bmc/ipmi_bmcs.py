# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The BMC of each server of a virtual rack as IPMI knows it, answered for by ipmi_sim (Debian: openipmi).

Its sensors read the files of `hardware`, as Redfish does. It has an event log, and switches the power of the server.
"""

from __future__ import annotations

import shutil
import sys
import uuid
from pathlib import Path

from rack_recipes.lab.bmc import hardware, power
from rack_recipes.lab.bmc.ipmi_sensors import BMC, commands
from rack_recipes.lab.topology import SERVER, Node, Topology
from rack_recipes.private_files import make_private

FOLDER, PROGRAM, PACKAGE = "ipmi", "ipmi_sim", "openipmi"
PORT = 623
TELL = 'echo starts && exec "$@" >/dev/null'
"""Tells a line before a program that tells none."""
CHASSIS = Path(__file__).parents[1] / "static" / "ipmi_chassis.sh"
AUTHENTICATION = "none md2 md5 straight"
CHASSIS_OF_NODE = 'exec sh "{chassis}" "{python}" {power} "{folder}" {node} "$@"\n'
"""ipmi_sim takes no long line in its configuration."""

LAN = """name "{node}"
set_working_mc {bmc:#x}
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback {authentication}
    allowed_auths_user {authentication}
    allowed_auths_operator {authentication}
    allowed_auths_admin {authentication}
    guid {guid}
  endlan
  chassis_control "sh {own}/chassis"
  user 2 true "{user}" "{password}" admin 10 {authentication}
"""
BEGIN = """mc_setbmc {bmc:#x}
mc_add {bmc:#x} 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable {bmc:#x} 1000 0x0a
"""


def missing() -> str:
    """What has to be installed before there can be BMCs, as the words of a command; empty if nothing is missing."""
    return "" if shutil.which(PROGRAM) else f"apt-get install {PACKAGE}"


def write_files(topology: Topology, folder: Path, password: str) -> None:
    """Write the configuration of each server's BMC; the files that its sensors read are `hardware`'s."""
    for node in topology.of_role(SERVER):
        own = folder / FOLDER / node.name
        make_private(own / "state")
        (own / "lan.conf").write_text(lan_config(node, password), encoding="utf-8")
        (own / "bmc.emu").write_text(emulation(node.name), encoding="utf-8")
        (own / "chassis").write_text(_chassis(node.name, folder), encoding="utf-8")


def lan_config(node: Node, password: str) -> str:
    """The configuration of a BMC's network, user and power, see ipmi_lan(5)."""
    return LAN.format(
        node=node.name, own=f"{FOLDER}/{node.name}", bmc=BMC, address=node.bmc, port=PORT,
        authentication=AUTHENTICATION, guid=uuid.uuid4().hex, user=hardware.USER, password=password,
    )  # fmt: skip


def _chassis(node: str, folder: Path) -> str:
    """What ipmi_sim runs for the power of a server."""
    return CHASSIS_OF_NODE.format(
        chassis=CHASSIS, python=sys.executable, power=power.__name__, folder=folder, node=node
    )


def emulation(node: str) -> str:
    """The commands that make a BMC with its sensors, see ipmi_sim_cmd(5)."""
    sensors = "".join(f"{line}\n" for line in commands(f"{hardware.FOLDER}/{node}"))
    return f"{BEGIN.format(bmc=BMC)}{sensors}mc_enable {BMC:#x}\n"


def services(topology: Topology) -> dict[str, list[str]]:
    """The commands that answer for the BMCs; they run in the folder of the rack."""
    return {f"ipmi of {node.name}": _command(f"{FOLDER}/{node.name}") for node in topology.of_role(SERVER)}


def _command(own: str) -> list[str]:
    return [
        "sh",
        "-c",
        TELL,
        "sh",
        PROGRAM,
        "-n",
        "-c",
        f"{own}/lan.conf",
        "-f",
        f"{own}/bmc.emu",
        "-s",
        f"{own}/state",
    ]
