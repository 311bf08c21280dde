# SPDX-License-Identifier: GPL-3.0-or-later

"""The BMC of each server of a virtual rack as IPMI knows it, answered for by ipmi_sim, with its sensor data records.

The records are those of the IPMI specification 2.0, section 43: full (type 01h) for sensors with numbers, compact (type
02h) for those with states.

Its sensors read the files of `hardware`, as Redfish does. It has an event log, and switches the power of the server.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rack_recipes.lab.bmc import hardware_and_event_log as hardware
from rack_recipes.lab.bmc import power
from rack_recipes.lab.topology import SERVER, Node, Topology
from rack_recipes.private_files import make_private

BMC = 0x20  # the address of the management controller
CELSIUS, RPM = 1, 18  # units, table 43-15
TEMPERATURE, FAN, POWER_SUPPLY = 0x01, 0x04, 0x08  # sensor types, table 42-3
THRESHOLDS, SPECIFIC = 0x01, 0x6F  # event/reading types, table 42-1
SYSTEM_BOARD, SUPPLY = 7, 10  # entities, table 43-13
POLL = 500  # milliseconds between two looks at a sensor's file
STATES = 0b1111
"""Of a power supply: presence, failure, predictive failure, input lost."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor that reads a file of the hardware, and how it turns that into a raw value from 0 to 255.

    `factor` is what one step of the raw value stands for, in its unit. `limits` are raw values: upper non-recoverable,
    critical and non-critical, lower non-recoverable, critical and non-critical; None where there is none. A sensor
    without a unit has states, and its raw value is their bits.
    """

    name: str
    file: str
    kind: int
    entity: int
    healthy: int
    unit: int = 0
    factor: int = 1
    limits: Sequence[int | None] = (None,) * 6
    conversion: str = ""


SUPPLY_STATES = "sub=2 mult=-4 div=3"
"""A power supply's file says 1 or 0; its states are 0b01 (present) or 0b11 (present and failed), after rounding."""


def sensors() -> list[Sensor]:
    """The sensors of a server, in the order of their numbers from 1."""
    supplies = [
        Sensor(f"{name} Status", file, POWER_SUPPLY, SUPPLY, 1, conversion=SUPPLY_STATES)
        for file, name in hardware.POWER_SUPPLIES.items()
    ]
    temperatures = [_numbered(each, TEMPERATURE, CELSIUS, 1) for each in hardware.TEMPERATURES]
    return [*temperatures, *(_numbered(each, FAN, RPM, 100) for each in hardware.FANS), *supplies]


def _numbered(sensor: hardware.Sensor, kind: int, unit: int, factor: int) -> Sensor:
    own = (None, sensor.upper_critical, sensor.upper_warning, None, sensor.lower_critical, sensor.lower_warning)
    return Sensor(
        sensor.label, sensor.file, kind, SYSTEM_BOARD, sensor.healthy // factor, unit, factor,
        [None if limit is None else limit // factor for limit in own], f"div={factor}" if factor > 1 else "",
    )  # fmt: skip


_UPPER = ((11, 0), (9, 1), (7, 2))
_LOWER = ((4, 3), (2, 4), (0, 5))
"""Each event of a threshold that matters, upper going high and lower going low, and the place of its limit."""


def sensor_commands(folder: str) -> Iterator[str]:
    """The commands of ipmi_sim_cmd(5) that make all sensors, which read files in a folder."""
    for number, sensor in enumerate(sensors(), start=1):
        record = " ".join(f"{value:#04x}" for value in _record(number, sensor))
        yield f"main_sdr_add {BMC:#x} {record}"
        kind = f"{sensor.kind:#x} {THRESHOLDS if sensor.unit else SPECIFIC:#x}"
        file = f'poll {POLL} file "{folder}/{sensor.file}" {sensor.conversion}'.rstrip()
        yield f"sensor_add {BMC:#x} 0 {number} {kind} {file}"
        if sensor.unit:
            limits = " ".join(str(limit or 0) for limit in sensor.limits)
            yield f"sensor_set_threshold {BMC:#x} 0 {number} settable {_enabled(sensor)} {limits}"
        events = f"{_events(sensor):015b}"
        yield f"sensor_set_event_support {BMC:#x} 0 {number} enable scanning per-state" + f" {events}" * 4


def _record(number: int, sensor: Sensor) -> list[int]:
    body = [BMC, 0, number, sensor.entity, 1, *(_full(sensor) if sensor.unit else _compact(sensor))]
    text = sensor.name.encode("ascii")
    body += [0, 0xC0 | len(text), *text]
    return [0, 0, 0x51, 0x01 if sensor.unit else 0x02, len(body), *body]


def _full(sensor: Sensor) -> list[int]:
    """Table 43-1, bytes 11 to 46: initialization to the reserved bytes before the name."""
    events, readable = _events(sensor), int(_enabled(sensor), 2)
    low, high = events & 0xFF, events >> 8
    conversion = [0, sensor.factor & 0xFF, sensor.factor >> 8 << 6, 0, 0, 0, 0]
    values = [0, sensor.healthy, 0, 0, 255, 0, *(limit or 0 for limit in sensor.limits), 0, 0, 0, 0]
    masks = [low, high, low, high, readable, readable]
    return [0x7F, 0x68, sensor.kind, THRESHOLDS, *masks, 0, sensor.unit, 0, *conversion, *values]


def _compact(sensor: Sensor) -> list[int]:
    """Table 43-2, bytes 11 to 30: initialization to the reserved bytes before the name."""
    masks = [STATES, 0] * 3
    return [0x67, 0x40, sensor.kind, SPECIFIC, *masks, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0]


def _events(sensor: Sensor) -> int:
    if not sensor.unit:
        return STATES
    return sum(1 << bit for bit, place in (*_UPPER, *_LOWER) if sensor.limits[place] is not None)


def _enabled(sensor: Sensor) -> str:
    """Which limits there are: upper non-recoverable first, lower non-critical last."""
    return "".join("0" if limit is None else "1" for limit in sensor.limits)


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
        (own / "bmc.emu").write_text(emulation_config(node.name), encoding="utf-8")
        chassis = CHASSIS_OF_NODE.format(
            chassis=CHASSIS, python=sys.executable, power=power.__name__, folder=folder, node=node.name
        )
        (own / "chassis").write_text(chassis, encoding="utf-8")


def lan_config(node: Node, password: str) -> str:
    """The configuration of a BMC's network, user and power, see ipmi_lan(5)."""
    return LAN.format(
        node=node.name, own=f"{FOLDER}/{node.name}", bmc=BMC, address=node.bmc, port=PORT,
        authentication=AUTHENTICATION, guid=hardware.system_uuid(node.name).replace("-", ""),
        user=hardware.USER, password=password,
    )  # fmt: skip


def emulation_config(node: str) -> str:
    """The commands that make a BMC with its sensors, see ipmi_sim_cmd(5)."""
    sensors = "".join(f"{line}\n" for line in sensor_commands(f"{hardware.FOLDER}/{node}"))
    return f"{BEGIN.format(bmc=BMC)}{sensors}mc_enable {BMC:#x}\n"


def services(topology: Topology) -> dict[str, list[str]]:
    """The commands that answer for the BMCs; they run in the folder of the rack."""
    return {f"ipmi of {node.name}": _command(f"{FOLDER}/{node.name}") for node in topology.of_role(SERVER)}


def _command(own: str) -> list[str]:
    files = ("-c", f"{own}/lan.conf", "-f", f"{own}/bmc.emu", "-s", f"{own}/state")
    return ["sh", "-c", TELL, "sh", PROGRAM, "-n", *files]
