# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PCI devices as sysfs shows them (Documentation/ABI/testing/sysfs-bus-pci of Linux)."""

from __future__ import annotations

from pathlib import Path

from rack_recipes import HostFiles

DEVICES = "sys/bus/pci/devices/"
BRIDGE = "0x06"  # the base class of bridges, in the PCI Code and ID Assignment Specification
# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {"root": {"description": "The folder that has /sys; another one for tests"}}


def devices(root):
    """ADDRESS -> its folder, `id` (VENDOR:DEVICE as `lspci -n` prints it), `is_bridge` and the address of its `parent`.

    Virtual functions (SR-IOV) are left out: they have neither links nor counters of their own.
    """
    tree = HostFiles(root)
    folders = {name: f"{DEVICES}{name}/" for name in tree.names(DEVICES)}
    return {
        name: {
            "folder": folder,
            "id": f"{_bare(tree.text(folder + 'vendor'))}:{_bare(tree.text(folder + 'device'))}",
            "is_bridge": (tree.text(folder + "class") or "").startswith(BRIDGE),
            "parent": Path(tree.path(folder)).resolve().parent.name,
        }
        for name, folder in folders.items()
        if not tree.target(folder + "physfn")
    }


def _bare(number):
    """A number without `0x`; ? for a device that does not tell it."""
    return (number or "?").replace("0x", "", 1)
