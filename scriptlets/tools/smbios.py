# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory modules in the table of a host's firmware.

The table is that of DMTF's DSP0134, "System Management BIOS Reference Specification" (version 3.7): section 6.1.2 for
structures and 6.1.3 for their texts, 7.18 for memory devices. Linux gives it as /sys/firmware/dmi/tables/DMI.
"""

from __future__ import annotations

import struct

MEMORY_DEVICE, END_OF_TABLE = 17, 127
HEADER = 4
TYPES = {
    0x03: "DRAM",
    0x12: "DDR", 0x13: "DDR2", 0x18: "DDR3", 0x1A: "DDR4", 0x1B: "LPDDR", 0x1C: "LPDDR2", 0x1D: "LPDDR3",
    0x1E: "LPDDR4", 0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5", 0x23: "LPDDR5", 0x24: "HBM3",
}  # fmt: skip
"""Section 7.18.2 of DSP0134, without what servers do not have."""

EMPTY, IN_EXTENDED_SIZE, UNKNOWN, IN_KIB = 0, 0x7FFF, 0xFFFF, 0x8000
LOCATOR, BANK, MANUFACTURER, SERIAL, PART = 0x10, 0x11, 0x17, 0x18, 0x1A


def structures(table):
    """Each structure of a table: its type, its bytes, and its texts. Raises ValueError where the table is cut off."""
    place = 0
    while place + HEADER <= len(table):
        kind, length = table[place], table[place + 1]
        end = table.find(b"\0\0", place + length)
        if length < HEADER or end < 0:
            raise ValueError(f"the table of the firmware (SMBIOS) is damaged at byte {place}")
        texts = table[place + length : end].decode("latin-1").split("\0")
        yield kind, table[place : place + length], [text.strip() for text in texts]
        if kind == END_OF_TABLE:
            return
        place = end + 2


def memory_modules(table):
    """The modules by the name of their slot; sizes in MiB, speeds in MT/s.

    An empty slot has none. What a firmware does not tell is None. Where two slots have one name, that of the bank
    stands before it.
    """
    devices = [(data, texts) for kind, data, texts in structures(table) if kind == MEMORY_DEVICE]
    names = [_text(data, texts, LOCATOR) or f"slot {number}" for number, (data, texts) in enumerate(devices)]
    found = {}
    for number, ((data, texts), name) in enumerate(zip(devices, names)):
        slot = name if names.count(name) == 1 else f"{_text(data, texts, BANK) or number}/{name}"
        if _size(data) != EMPTY:
            found[slot if slot not in found else f"{number}/{name}"] = _module(data, texts)
    return found


def _module(data, texts):
    return {
        "size_mib": _size(data),
        "type": TYPES.get(data[0x12]) if len(data) > 0x12 else None,
        "speed_mts": _word(data, 0x15) or None,
        "configured_mts": _word(data, 0x20) or None,
        "manufacturer": _text(data, texts, MANUFACTURER),
        "part": _text(data, texts, PART),
        "serial": _text(data, texts, SERIAL),
    }


def _size(data):
    """MiB; 0 for an empty slot, None where the firmware does not know."""
    size = _word(data, 0x0C)
    if size == IN_EXTENDED_SIZE:
        return struct.unpack_from("<I", data, 0x1C)[0] & 0x7FFFFFFF if len(data) >= 0x20 else None
    if size == UNKNOWN:
        return None
    return (size & ~IN_KIB) // 1024 if size & IN_KIB else size


def _word(data, place):
    return struct.unpack_from("<H", data, place)[0] if len(data) >= place + 2 else 0


def _text(data, texts, place):
    """The text that a byte names by its number from 1; None where there is none."""
    number = data[place] if len(data) > place else 0
    return (texts[number - 1] or None) if 0 < number <= len(texts) else None
