# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a BMC tells by Redfish of a server's hardware: firmware, temperatures, fans, power supplies, the event log.

sushy-tools' emulator has no such resources, or the same fixed ones for every system. Their shape is that of DMTF's
schemas (DSP8010): SoftwareInventory, Thermal, Power, LogService, LogEntry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rack_recipes.lab.bmc import hardware

Resource = dict[str, Any]
V1 = "/redfish/v1"
INVENTORY = f"{V1}/UpdateService/FirmwareInventory"
WATTS = 800  # what a power supply can deliver


@dataclass(frozen=True, slots=True)
class Bmc:
    """One BMC: its server, the folder with the values of its hardware, the Redfish ids of system and chassis."""

    server: str
    folder: Path
    system: str
    chassis: str

    @property
    def logs(self) -> str:
        """The path of its log services."""
        return f"{V1}/Systems/{self.system}/LogServices"

    @property
    def chassis_path(self) -> str:
        """The path of its chassis."""
        return f"{V1}/Chassis/{self.chassis}"


def resources(bmc: Bmc) -> Mapping[str, Callable[[], Resource]]:
    """A function for each path that answers with the resource there."""
    return {
        INVENTORY: lambda: _collection(INVENTORY, [each for each, _version in hardware.FIRMWARE.values()]),
        **{f"{INVENTORY}/{own[0]}": _firmware(bmc, file) for file, own in hardware.FIRMWARE.items()},
        f"{bmc.chassis_path}/Thermal": lambda: _thermal(bmc),
        f"{bmc.chassis_path}/Power": lambda: _power(bmc),
        bmc.logs: lambda: _collection(bmc.logs, ["SEL"]),
        f"{bmc.logs}/SEL": lambda: _log(bmc),
        f"{bmc.logs}/SEL/Entries": lambda: _entries(bmc),
    }


def additions(bmc: Bmc) -> Mapping[str, Resource]:
    """What is added to the emulator's own resources, by path: names of this server, links to what is beside them."""
    health = _worst(bmc)
    return {
        f"{V1}/Systems/{bmc.system}": {
            "Manufacturer": "rack.recipes",
            "Model": "Virtual Server",
            "SerialNumber": f"VR-{bmc.server}",
            "HostName": bmc.server,
            "BiosVersion": hardware.read(bmc.folder, "firmware_bios"),
            "LogServices": _link(bmc.logs),
            "Status": {"State": "Enabled", "Health": "OK", "HealthRollup": health},
        },
        bmc.chassis_path: {
            "Manufacturer": "rack.recipes",
            "Model": "Virtual Server",
            "SerialNumber": f"VR-{bmc.server}",
            "Power": _link(f"{bmc.chassis_path}/Power"),
            "Status": {"State": "Enabled", "Health": "OK", "HealthRollup": health},
        },
        f"{V1}/Managers/{bmc.system}": {"FirmwareVersion": hardware.read(bmc.folder, "firmware_bmc")},
    }


def _worst(bmc: Bmc) -> str:
    seen = {health for health, _words in hardware.conditions(bmc.folder).values()}
    return next((each for each in ("Critical", "Warning") if each in seen), "OK")


def _link(path: str) -> dict[str, str]:
    return {"@odata.id": path}


def _collection(path: str, names: list[str]) -> Resource:
    return {**_link(path), "Members": [_link(f"{path}/{name}") for name in names], "Members@odata.count": len(names)}


def _firmware(bmc: Bmc, file: str) -> Callable[[], Resource]:
    name = hardware.FIRMWARE[file][0]

    def found() -> Resource:
        return {
            **_link(f"{INVENTORY}/{name}"),
            "@odata.type": "#SoftwareInventory.v1_3_0.SoftwareInventory",
            "Id": name,
            "Name": f"{name} firmware",
            "Version": hardware.read(bmc.folder, file),
            "Updateable": True,
            "Status": _status("OK"),
        }

    return found


def _status(health: str) -> Resource:
    return {"State": "Enabled", "Health": health}


def _thermal(bmc: Bmc) -> Resource:
    path = f"{bmc.chassis_path}/Thermal"
    return {
        **_link(path),
        "@odata.type": "#Thermal.v1_3_0.Thermal",
        "Id": "Thermal",
        "Name": "Thermal",
        "Temperatures": [
            _sensor(bmc, f"{path}#/Temperatures/{number}", each, "ReadingCelsius")
            for number, each in enumerate(hardware.TEMPERATURES)
        ],
        "Fans": [
            {**_sensor(bmc, f"{path}#/Fans/{number}", each, "Reading"), "ReadingUnits": "RPM"}
            for number, each in enumerate(hardware.FANS)
        ],
    }


def _sensor(bmc: Bmc, path: str, sensor: hardware.Sensor, reading: str) -> Resource:
    value = int(hardware.read(bmc.folder, sensor.file))
    limits = {
        "UpperThresholdNonCritical": sensor.upper_warning,
        "UpperThresholdCritical": sensor.upper_critical,
        "LowerThresholdNonCritical": sensor.lower_warning,
        "LowerThresholdCritical": sensor.lower_critical,
    }
    return {
        **_link(path),
        "MemberId": path.rpartition("/")[2],
        "Name": sensor.label,
        reading: value,
        **{name: limit for name, limit in limits.items() if limit is not None},
        "Status": _status(sensor.health(value)),
    }


def _power(bmc: Bmc) -> Resource:
    path = f"{bmc.chassis_path}/Power"
    supplies = [
        _supply(f"{path}#/PowerSupplies/{number}", name, is_good=hardware.read(bmc.folder, file) != "0")
        for number, (file, name) in enumerate(hardware.POWER_SUPPLIES.items())
    ]
    return {
        **_link(path),
        "@odata.type": "#Power.v1_5_0.Power",
        "Id": "Power",
        "Name": "Power",
        "PowerSupplies": supplies,
    }


def _supply(path: str, name: str, *, is_good: bool) -> Resource:
    return {
        **_link(path),
        "MemberId": path.rpartition("/")[2],
        "Name": name,
        "PowerSupplyType": "AC",
        "PowerCapacityWatts": WATTS,
        "LastPowerOutputWatts": 120 if is_good else 0,
        "LineInputVoltage": 230 if is_good else 0,
        "Status": _status("OK" if is_good else "Critical"),
    }


def _log(bmc: Bmc) -> Resource:
    path = f"{bmc.logs}/SEL"
    return {
        **_link(path),
        "@odata.type": "#LogService.v1_1_0.LogService",
        "Id": "SEL",
        "Name": "System Event Log",
        "LogEntryType": "SEL",
        "Entries": _link(f"{path}/Entries"),
    }


def _entries(bmc: Bmc) -> Resource:
    path = f"{bmc.logs}/SEL/Entries"
    file = bmc.folder / hardware.EVENTS
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    members = [
        {
            **_link(f"{path}/{number}"),
            "@odata.type": "#LogEntry.v1_4_0.LogEntry",
            "Id": str(number),
            "Name": f"Log entry {number}",
            "EntryType": "SEL",
            **json.loads(line),
        }
        for number, line in enumerate(lines, start=1)
    ]
    return {**_link(path), "Members": members, "Members@odata.count": len(members)}
