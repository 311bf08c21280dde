# SPDX-License-Identifier: GPL-3.0-or-later

"""The hardware that a BMC of a virtual rack watches, and the event log of its changes.

Each value of the hardware is a small file.

The files lie in `bmc/SERVER` below the rack's folder. Whatever speaks for the BMC reads them, and a fault writes them.
So Redfish and IPMI tell the same. This file needs the standard library only.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

FOLDER = "bmc"
PASSWORD = "password"  # noqa: S105 - the name of the file
USER = "admin"
EVENTS = "events.jsonl"
Conditions = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor: the file with its reading, what it is called, its unit, its healthy reading and its limits.

    A reading beyond a limit is a warning, or is critical. The unit is Redfish's.
    """

    file: str
    label: str
    unit: str
    healthy: int
    upper_warning: int | None = None
    upper_critical: int | None = None
    lower_warning: int | None = None
    lower_critical: int | None = None

    def health(self, reading: float) -> str:
        """`OK`, `Warning` or `Critical`, as Redfish calls it."""
        if _beyond(reading, self.lower_critical, self.upper_critical):
            return "Critical"
        return "Warning" if _beyond(reading, self.lower_warning, self.upper_warning) else "OK"


def _beyond(reading: float, lower: int | None, upper: int | None) -> bool:
    return (upper is not None and reading >= upper) or (lower is not None and reading <= lower)


TEMPERATURES = (
    Sensor("inlet_temperature", "Inlet Temp", "Cel", 24, upper_warning=38, upper_critical=42),
    Sensor("cpu1_temperature", "CPU1 Temp", "Cel", 47, upper_warning=85, upper_critical=95),
)
FANS = (
    Sensor("fan1_speed", "Fan1", "RPM", 5400, lower_warning=1200, lower_critical=600),
    Sensor("fan2_speed", "Fan2", "RPM", 5400, lower_warning=1200, lower_critical=600),
)
POWER_SUPPLIES: Mapping[str, str] = {"psu1_ok": "PSU1", "psu2_ok": "PSU2"}
"""The file of each power supply, with its name: 1 where it delivers, 0 where it does not."""
FIRMWARE: Mapping[str, tuple[str, str]] = {
    "firmware_bios": ("BIOS", "2.4.1"),
    "firmware_bmc": ("BMC", "1.20.3"),
    "firmware_nic1": ("NIC1", "22.41.10"),
}
"""The file of each firmware, with its id and its healthy version."""


def system_uuid(server: str) -> str:
    """The UUID of a server: its own firmware, Redfish and IPMI tell the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{server}.virtual-rack.invalid"))


def serial_number(server: str) -> str:
    """The serial number of a server, on all of these ways."""
    return f"VR-{server}"


def healthy_values() -> dict[str, str]:
    """What each file holds on a healthy server."""
    return {
        **{sensor.file: str(sensor.healthy) for sensor in (*TEMPERATURES, *FANS)},
        **dict.fromkeys(POWER_SUPPLIES, "1"),
        **{file: version for file, (_id, version) in FIRMWARE.items()},
    }


def make_hardware(folder: Path) -> None:
    """Write the files of a healthy server into its folder."""
    folder.mkdir(parents=True)
    for file, text in healthy_values().items():
        (folder / file).write_text(f"{text}\n", encoding="ascii")


def read_value(folder: Path, file: str) -> str:
    """One value; the healthy one while a file is being written."""
    return (folder / file).read_text(encoding="ascii").strip() or healthy_values()[file]


def read_conditions(folder: Path) -> Conditions:
    """How each sensor and power supply is: its health, as Redfish calls it, and that in words."""
    found: Conditions = {}
    for sensor in (*TEMPERATURES, *FANS):
        reading = int(read_value(folder, sensor.file))
        health = sensor.health(reading)
        found[sensor.label] = health, f"{sensor.label} reads {reading} {sensor.unit} ({health})"
    for file, name in POWER_SUPPLIES.items():
        is_good = read_value(folder, file) != "0"
        found[name] = ("OK", f"{name} delivers power") if is_good else ("Critical", f"{name} delivers no power")
    return found


INTERVAL = 0.5  # seconds between two looks at the sensors


def append_event(folder: Path, severity: str, message: str) -> None:
    """Append one event, with the properties of Redfish's LogEntry."""
    event = {"Created": datetime.now(UTC).isoformat(timespec="seconds"), "Severity": severity, "Message": message}
    with (folder / EVENTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def watch_hardware(folder: Path) -> None:
    """Look at the hardware for ever, and note what has become better or worse. It ends when the folder is gone."""
    before = read_conditions(folder)
    while folder.exists():
        time.sleep(INTERVAL)
        before = note_changes(folder, before)


def note_changes(folder: Path, before: Conditions) -> Conditions:
    """Note what differs from before; returns how everything is now."""
    try:
        now = read_conditions(folder)
    except FileNotFoundError:  # the rack is just ending
        return before
    for name, (health, words) in now.items():
        if health != before[name][0]:
            append_event(folder, health, words)
    return now
