# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the numbers of NVIDIA's driver for errors of a GPU (Xid) mean, and what to do.

They are those of NVIDIA's page "XID Errors" (https://docs.nvidia.com/deploy/xid-errors/), in a technician's words.
"""

from __future__ import annotations

import re

NUMBER = re.compile(r"Xid \([^)]+\): (\d+)")  # NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', ...
PROGRAM = "run the test again; if other programs get it too, drain the node"
RESET = "drain the node and reset the GPU; if it comes back, replace the GPU"
NVLINK = "drain the node, reseat the GPU and its bridges; if it comes back, replace it"
XIDS = {
    13: ("an illegal access of a program", PROGRAM),
    31: ("a memory fault of a program", PROGRAM),
    43: ("a program was stopped by the GPU", PROGRAM),
    45: ("a program was ended, often after another error", "look for the error before it; " + PROGRAM),
    46: ("the GPU stopped processing", RESET),
    48: ("a double-bit memory error", "drain the node and reset the GPU; if it comes back, replace the GPU"),
    62: ("the GPU's power controller halted", RESET),
    63: ("a row of memory was remapped", "reset the GPU to use the spare row"),
    64: ("a row of memory could not be remapped", "drain the node and replace the GPU"),
    74: ("an NVLink error", NVLINK),
    79: ("the GPU has fallen off the bus", "drain the node, power it off and on, reseat the GPU; else replace it"),
    92: ("many single-bit memory errors", "drain the node and run the memory test; replace the GPU if it fails"),
    94: ("a contained memory error", "restart the program; reset the GPU when the node is empty"),
    95: ("an uncontained memory error", "drain the node and reset the GPU; if it comes back, replace the GPU"),
    119: ("the GPU's system processor does not answer", "drain the node, power it off and on"),
    120: ("the GPU's system processor has failed", "drain the node, power it off and on"),
    140: ("a memory error that was not corrected", RESET),
    **dict.fromkeys(range(144, 151), ("an NVLink error", NVLINK)),
    154: ("the driver says what the GPU needs", "do what the line says: reset the GPU, or restart or drain the node"),
}
ADVICE = "look it up in NVIDIA's list of XID errors; drain the node until then"


def meaning(number):
    """What an Xid means, an empty text for one that is not known here, and what to do."""
    return XIDS.get(number, ("", ADVICE))


def said(line):
    """What a line of the kernel's log with an Xid means, and what to do."""
    found = NUMBER.search(line)
    if not found:
        return f"GPU error: {ADVICE}"
    means, action = meaning(int(found[1]))
    return f"GPU error, Xid {found[1]}{means and f' ({means})'}: {action}"
