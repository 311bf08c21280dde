# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether access control of PCIe (ACS) is off, as traffic between cards needs it, or on, as virtual machines do."""

from __future__ import annotations

import struct
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.pci_devices import devices

# PCI Express Base Specification 6.0, 7.6.3 and 7.7.11, include/uapi/linux/pci_regs.h; the names are those of lspci(8).
FIRST, SPACE, ACS, CONTROL = 0x100, 4096, 0x000D, 6
CONTROLS = {"SrcValid": 0x01, "TransBlk": 0x02, "ReqRedir": 0x04, "CmpltRedir": 0x08, "UpstreamFwd": 0x10}


class PciAcs(Scriptlet):
    """Whether access control of PCIe (ACS) is off, or on, on all devices that have it.

    With ACS on, what a card sends to another goes up to the processor and down again: cards that talk to each other,
    as GPUs and network cards do, are slow. With ACS off, the host cannot keep apart virtual machines with own cards.
    """

    options = {
        "expected": {
            "type": "str",
            "choices": ["off", "on"],
            "default": "off",
            "description": "Whether all controls must be off, or one at least on, on each device",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Addresses of devices that do not count",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
        "root": {"type": "path", "default": "/", "description": "The folder that has /sys; another one for tests"},
    }
    reads = ()
    writes = {"pci.acs_v1": "For each device with ACS, by its address, the names of the controls that are on"}
    needs = ("the right to read the configuration of PCI devices: root",)
    verdicts = {
        "failed": "a device has ACS in another way",
        "skipped": "no device has it (failed with `absent: fail`)",
        "error": "only root may read it",
    }
    example = """
        - name: acs
          module: pci.acs
          args: {expected: "off"}
          become: true
    """

    def run(self, ctx, params):
        there = devices(params["root"])
        folders = {name: Path(params["root"], device["folder"]) for name, device in there.items()}
        states = {name: controls((folder / "config").read_bytes()) for name, folder in folders.items()}
        found = {name: on for name, on in states.items() if on is not None and name not in params["ignore"]}
        if not found:
            is_missing("a PCIe device with access control (ACS)", params)
        ctx.set("pci.acs_v1", found)
        wrong = [name for name, on in found.items() if bool(on) != (params["expected"] == "on")]
        if ctx.check("devices_with_another_acs", len(wrong), "devices", max=0) == "failed":
            raise Failed(
                f"ACS is not {params['expected']} on {len(wrong)} devices ({', '.join(wrong[:10])}): "
                "set it in the firmware's setup (ACS, SR-IOV, IOMMU), and restart the host"
            )


def controls(config):
    """The names of the controls that are on; None for a device without ACS.

    Raises ValueError where only the part of the configuration is there that everybody may read.
    """
    if len(config) <= FIRST:
        if len(config) < FIRST:
            raise ValueError("the configuration of PCI devices may be read by root only: run this step with `become`")
        return None  # a device of PCI, not of PCIe
    place, seen = FIRST, set()
    while place and place not in seen and place + CONTROL + 2 <= min(len(config), SPACE):
        seen.add(place)
        header = struct.unpack_from("<I", config, place)[0]
        if header & 0xFFFF == ACS:
            bits = struct.unpack_from("<H", config, place + CONTROL)[0]
            return [name for name, bit in CONTROLS.items() if bits & bit]
        place = header >> 20
    return None
