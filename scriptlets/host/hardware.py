# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is made of, part by part, with serial numbers: to be compared with a golden one."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.hardware_inventory import cpu, disks
from rack_recipes import HostFiles, Scriptlet
from scriptlets.tools.commands import run
from scriptlets.tools.smbios import memory_modules

SMBIOS = "sys/firmware/dmi/tables/DMI"
DMI = "sys/class/dmi/id/"
DMI_FIELDS = (
    "sys_vendor", "product_name", "product_version", "product_serial", "product_uuid", "board_vendor", "board_name",
    "board_version", "board_serial", "chassis_serial", "chassis_asset_tag", "bios_vendor", "bios_version", "bios_date",
)  # fmt: skip
PCI = "sys/bus/pci/devices/"
PCI_FIELDS = {
    "class": "class", "vendor": "vendor", "device": "device", "subsystem_vendor": "subsystem_vendor",
    "subsystem_device": "subsystem_device", "revision": "revision", "link_speed": "current_link_speed",
    "link_width": "current_link_width",
}  # fmt: skip
NETWORK = "sys/class/net/"
ETHTOOL = {"driver": "driver", "driver_version": "version", "firmware": "firmware-version", "bus": "bus-info"}
VPD_HEADER = 4
"""Bytes before the text in the page 0x80 of a SCSI disk: SCSI Primary Commands, "Unit Serial Number VPD page"."""


class HostHardware(Scriptlet):
    """The parts of a host: DMI, CPU, memory modules by slot, PCI devices, disks, network cards with their firmware.

    A host without the firmware's table of modules, as many virtual machines are, has no modules. Virtual functions
    of cards (SR-IOV) are left out.
    """

    options = {
        "sections": {
            "type": "list",
            "elements": "str",
            "choices": ["dmi", "cpu", "memory", "pci", "disks", "nics"],
            "default": ["dmi", "cpu", "memory", "pci", "disks", "nics"],
            "description": "The parts to take",
        },
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /sys; another one for tests",
        },
    }
    reads = ()
    writes = {
        "host.hardware_v1": (
            "For each section its parts: `dmi` and `cpu` by field, `memory` by slot, `pci` by address, "
            "`disks` and `nics` by name; with serial numbers, null for what is not told"
        )
    }
    needs = (
        "root, for serial numbers and memory modules",
        "ethtool (Debian: ethtool)",
    )
    verdicts = {
        "error": "what only root may read, a damaged table, or ethtool that does not answer",
    }
    example = """
        - name: hardware
          module: host.hardware
          become: true
          success: {ctx_has_keys: [host.hardware_v1]}
    """

    def run(self, ctx, params):
        tree = HostFiles(params["root"])
        closed = unreadable(tree, params["sections"])
        if closed:
            raise ValueError(
                f"cannot read {', '.join(closed)}: run this step with become, or leave dmi and memory out of `sections`"
            )
        found = {section: READERS[section](tree) for section in params["sections"]}
        ctx.set("host.hardware_v1", found)
        for section in sorted({"memory", "pci", "disks", "nics"} & set(found)):
            ctx.measure(section, len(found[section]), "parts")


def unreadable(tree, sections):
    """The files of the sections that are there and may not be read."""
    files = [*(DMI + name for name in DMI_FIELDS if "dmi" in sections), *([SMBIOS] if "memory" in sections else [])]
    paths = [Path(tree.path(file)) for file in files]
    return [str(path) for path in paths if path.exists() and not os.access(path, os.R_OK)]


def dmi(tree):
    """What the firmware says of the machine, its board and itself; None for what it does not tell."""
    return {name: tree.text(DMI + name) for name in DMI_FIELDS}


def memory(tree):
    """The modules by slot. Raises ValueError where the firmware's table is damaged."""
    table = Path(tree.path(SMBIOS))
    return memory_modules(table.read_bytes()) if table.exists() else {}


def pci(tree):
    """The devices by address, without virtual functions."""
    folders = {name: f"{PCI}{name}/" for name in tree.names(PCI)}
    return {name: _pci_device(tree, folder) for name, folder in folders.items() if not tree.target(folder + "physfn")}


def _pci_device(tree, folder):
    fields = {name: tree.text(folder + file) for name, file in PCI_FIELDS.items()}
    return {**fields, "driver": tree.target(folder + "driver")}


def disks_by_name(tree):
    """The disks that are devices, by name, with their serial numbers."""
    found = {disk["name"]: disk for disk in disks(tree)}
    return {
        name: {**disk, "serial": _serial(tree, f"sys/block/{name.replace('/', '!')}/")} for name, disk in found.items()
    }


def _serial(tree, folder):
    """The serial number of a disk: NVMe and virtio tell it as text, SCSI and SATA as page 0x80."""
    told = tree.text(folder + "device/serial") or tree.text(folder + "serial")
    if told:
        return told
    try:
        page = Path(tree.path(folder + "device/vpd_pg80")).read_bytes()[VPD_HEADER:]
    except OSError:
        return None
    return page.decode("ascii", errors="backslashreplace").strip("\0 ") or None


def nics(tree):
    """The network cards by name: MAC, and what `ethtool -i` says. Raises ValueError where ethtool does not answer."""
    folders = {name: f"{NETWORK}{name}/" for name in tree.names(NETWORK)}
    cards = [
        name
        for name, folder in folders.items()
        if Path(tree.path(folder + "device")).exists() and not tree.target(folder + "device/physfn")
    ]
    return {
        name: {"mac": tree.text(folders[name] + "address"), **driver(run(("ethtool", "-i", name)))} for name in cards
    }


def driver(text):
    """Driver, its version, firmware and bus of a card, in what `ethtool -i` printed; None for what it does not tell."""
    told = {name.strip(): value.strip() for name, _colon, value in (line.partition(":") for line in text.splitlines())}
    if "driver" not in told:
        raise ValueError(f"ethtool -i printed no driver: {text[:100]!r}")
    return {name: None if told.get(field) in ("", "N/A", None) else told[field] for name, field in ETHTOOL.items()}


READERS = {"dmi": dmi, "cpu": cpu, "memory": memory, "pci": pci, "disks": disks_by_name, "nics": nics}
