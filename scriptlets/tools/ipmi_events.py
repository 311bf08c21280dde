# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event log of a BMC (system event log, SEL) by ipmitool: numbers from the raw records, words from its listing."""

from __future__ import annotations

import csv
import struct
import tempfile
from pathlib import Path

from scriptlets.tools.ipmi import ipmi

RECORD = struct.Struct("<HBIHBBBB3s")
"""Table 32-1 of the IPMI specification 2.0: number, type, time, source, version, sensor kind, sensor, event, data."""

SYSTEM_EVENT, DEASSERTED, THRESHOLDS = 0x02, 0x80, 0x01
SEVERE = (0x02, 0x04, 0x09, 0x0B)
"""Events of thresholds that are critical or non-recoverable: lower going low, upper going high (table 42-2)."""

# Words of other events that say that something went wrong: tables 42-2 and 42-3.
FAULTY = (
    "failure", "failed", "fault", "lost", "critical", "non-recoverable", "uncorrectable", "thermal trip", "ierr",
    "parity", "nmi", "perr", "serr", "out-of-range", "error", "degraded", "predictive", "log full",
)  # fmt: skip


def raw_records(params):
    """The records of a log in their order, as `RECORD` has their fields."""
    with tempfile.TemporaryDirectory(prefix="rack-ipmi-") as folder:
        path = Path(folder, "log")
        path.touch()
        ipmi(params, ("sel", "writeraw", str(path)))
        return records(path.read_bytes())


def records(content):
    """The records in a raw log. Raises ValueError where one is cut off."""
    if len(content) % RECORD.size:
        raise ValueError(f"the event log has {len(content)} bytes, and a record has {RECORD.size}")
    return list(RECORD.iter_unpack(content))


def newer(found, after):
    """The records that came after the one with the number `after`; all where that is not in the log any more."""
    numbers = [record[0] for record in found]
    return found[numbers.index(after) + 1 :] if after in numbers else found


def words_of(text):
    """Sensor, event and details of each record by its number, of what `ipmitool -c sel elist` printed."""
    rows = [row for row in csv.reader(text.splitlines()) if len(row) > 4]
    return {
        int(row[0], 16): (row[3].strip(), row[4].strip(), ", ".join(each.strip() for each in row[6:])) for row in rows
    }


def event(record, words):
    """One event for people and programs; the time is in seconds of the BMC's own clock, from 1970 or from its start."""
    number, kind, seconds, _generator, _version, _sensor_kind, _sensor, what, data = record
    sensor, said, details = words.get(number, ("", "", ""))
    is_over = kind == SYSTEM_EVENT and bool(what & DEASSERTED)
    if kind == SYSTEM_EVENT and what & ~DEASSERTED == THRESHOLDS:
        is_fault = data[0] & 0x0F in SEVERE
    else:
        is_fault = any(word in said.lower() for word in FAULTY)
    return {
        "number": number,
        "seconds": seconds,
        "sensor": sensor,
        "event": said or f"record of type {kind:#04x}",
        "details": details,
        "is_over": is_over,
        "is_fault": is_fault and not is_over,
    }
