# SPDX-License-Identifier: GPL-3.0-or-later

"""The BMCs of a virtual rack by Redfish.

Sushy-tools' emulator for each server, with our firmware, sensors and event log added.

sushy-tools' emulator has no such resources, or the same fixed ones for every system. Their shape is that of DMTF's
schemas (DSP8010): SoftwareInventory, Thermal, Power, LogService, LogEntry.

    python -I -m rack_recipes.lab.bmc.redfish_bmcs SPEC

It runs inside of the rack, beside the nodes, so that a BMC answers while its server is off. The emulator brings service
root, systems, chassis, managers, the reset action, users and TLS. Its driver is replaced, so that a reset really ends
and starts the node, and `resources` are what it does not have. One line tells that all of them answer.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rack_recipes.lab.bmc import hardware_and_event_log as hardware
from rack_recipes.lab.bmc import power
from rack_recipes.lab.rack_first_process import tell

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


def resources_by_path(bmc: Bmc) -> Mapping[str, Callable[[], Resource]]:
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


def additions_by_path(bmc: Bmc) -> Mapping[str, Resource]:
    """What is added to the emulator's own resources, by path: names of this server, links to what is beside them."""
    seen = {health for health, _words in hardware.read_conditions(bmc.folder).values()}
    health = next((each for each in ("Critical", "Warning") if each in seen), "OK")
    made = {
        "Manufacturer": "rack.recipes",
        "Model": "Virtual Server",
        "SerialNumber": hardware.serial_number(bmc.server),
    }
    status = {"State": "Enabled", "Health": "OK", "HealthRollup": health}
    return {
        f"{V1}/Systems/{bmc.system}": {
            **made,
            "HostName": bmc.server,
            "BiosVersion": hardware.read_value(bmc.folder, "firmware_bios"),
            "LogServices": _link(bmc.logs),
            "Status": status,
        },
        bmc.chassis_path: {**made, "Power": _link(f"{bmc.chassis_path}/Power"), "Status": status},
        f"{V1}/Managers/{bmc.system}": {"FirmwareVersion": hardware.read_value(bmc.folder, "firmware_bmc")},
    }


def _link(path: str) -> dict[str, str]:
    return {"@odata.id": path}


def _resource(path: str, kind: str, name: str, **more: Any) -> Resource:
    """A resource of a kind, such as `Thermal.v1_3_0`; its id is the end of its path."""
    of_kind = f"#{kind}.{kind.partition('.')[0]}"
    return {**_link(path), "@odata.type": of_kind, "Id": path.rpartition("/")[2], "Name": name, **more}


def _collection(path: str, names: list[str]) -> Resource:
    return {**_link(path), "Members": [_link(f"{path}/{name}") for name in names], "Members@odata.count": len(names)}


def _firmware(bmc: Bmc, file: str) -> Callable[[], Resource]:
    name = hardware.FIRMWARE[file][0]

    return lambda: _resource(
        f"{INVENTORY}/{name}", "SoftwareInventory.v1_3_0", f"{name} firmware",
        Version=hardware.read_value(bmc.folder, file), Updateable=True, Status=_status("OK"),
    )  # fmt: skip


def _status(health: str) -> Resource:
    return {"State": "Enabled", "Health": health}


def _thermal(bmc: Bmc) -> Resource:
    path = f"{bmc.chassis_path}/Thermal"
    temperatures = [
        _sensor(bmc, f"{path}#/Temperatures/{number}", each, "ReadingCelsius")
        for number, each in enumerate(hardware.TEMPERATURES)
    ]
    fans = [
        {**_sensor(bmc, f"{path}#/Fans/{number}", each, "Reading"), "ReadingUnits": "RPM"}
        for number, each in enumerate(hardware.FANS)
    ]
    return _resource(path, "Thermal.v1_3_0", "Thermal", Temperatures=temperatures, Fans=fans)


def _sensor(bmc: Bmc, path: str, sensor: hardware.Sensor, reading: str) -> Resource:
    value = int(hardware.read_value(bmc.folder, sensor.file))
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
        _supply(f"{path}#/PowerSupplies/{number}", name, is_good=hardware.read_value(bmc.folder, file) != "0")
        for number, (file, name) in enumerate(hardware.POWER_SUPPLIES.items())
    ]
    return _resource(path, "Power.v1_5_0", "Power", PowerSupplies=supplies)


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
    entries = _link(f"{path}/Entries")
    return _resource(path, "LogService.v1_1_0", "System Event Log", LogEntryType="SEL", Entries=entries)


def _entries(bmc: Bmc) -> Resource:
    path = f"{bmc.logs}/SEL/Entries"
    file = bmc.folder / hardware.EVENTS
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    members = [
        _resource(f"{path}/{number}", "LogEntry.v1_4_0", f"Log entry {number}", EntryType="SEL", **json.loads(line))
        for number, line in enumerate(lines, start=1)
    ]
    return {**_link(path), "Members": members, "Members@odata.count": len(members)}


PORT = 443
CERTIFICATE, KEY = "bmc.crt", "bmc.key"
NEEDED = ("sushy_tools", "bcrypt")
HASH_ROUNDS = 4  # the fewest that bcrypt takes: the password is a long random one
RESETS: Mapping[str, str] = {
    "On": power.ON,
    "ForceOn": power.ON,
    "ForceOff": power.OFF,
    "GracefulShutdown": power.OFF,
    "ForceRestart": "cycle",
    "GracefulRestart": "cycle",
}
"""What each of Redfish's reset types does with a node; a virtual node has no graceful end."""


def missing() -> str:
    """What has to be installed before there can be BMCs, as the words of a command; empty if nothing is missing."""
    if not all(map(importlib.util.find_spec, NEEDED)):
        return "pip install 'rack-recipes[rack]'"
    return "" if shutil.which("openssl") else "apt-get install openssl"


def main(spec_file: Path) -> None:
    """Bind every BMC's address, start a process for each, say so, and end."""
    from sushy_tools.emulator import main as emulator

    spec = json.loads(spec_file.read_text(encoding="utf-8"))
    folder = Path(spec["folder"], hardware.FOLDER)
    make_certificate(folder, [*spec["bmcs"].values()])
    (folder / "users").write_text(f"{hardware.USER}:{_hashed(folder)}\n", encoding="ascii")
    sockets = {server: socket.create_server((address, PORT), backlog=64) for server, address in spec["bmcs"].items()}
    for server, listening in sockets.items():
        if os.fork() == 0:
            bmc = Bmc(
                server, folder / server, hardware.system_uuid(server), hardware.system_uuid(f"chassis of {server}")
            )
            _serve(emulator, spec_file, bmc, listening)
    tell({"up": len(sockets)})


def make_certificate(folder: Path, addresses: list[str]) -> None:
    """Make the self-signed certificate of all BMCs, with their addresses in it, and its key."""
    names = ",".join(f"IP:{address}" for address in addresses)
    subprocess.run(
        (
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "3650", "-subj", "/CN=BMCs of a virtual rack", "-addext", f"subjectAltName={names}",
            "-keyout", str(folder / KEY), "-out", str(folder / CERTIFICATE),
        ),
        check=True, capture_output=True,
    )  # fmt: skip


def _hashed(folder: Path) -> str:
    import bcrypt

    password = (folder / hardware.PASSWORD).read_bytes().strip()
    return str(bcrypt.hashpw(password, bcrypt.gensalt(HASH_ROUNDS)).decode())


def _serve(emulator: object, spec_file: Path, bmc: Bmc, listening: socket.socket) -> None:
    """Be one BMC until the rack ends."""
    from werkzeug.serving import make_server

    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = make_app(emulator, spec_file, bmc)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bmc.folder.parent / CERTIFICATE, bmc.folder.parent / KEY)
    threading.Thread(target=hardware.watch_hardware, args=(bmc.folder,), daemon=True).start()
    host, port = listening.getsockname()
    make_server(host, port, app, threaded=True, ssl_context=context, fd=listening.fileno()).serve_forever()


def make_app(emulator: Any, spec_file: Path, bmc: Bmc) -> Any:
    """The emulator's application, which answers for this BMC. A process can have one."""
    from sushy_tools import error
    from sushy_tools.emulator import memoize
    from sushy_tools.emulator.resources.systems import fakedriver

    # where the emulator looks for what it keeps its state in, and for its driver
    memoize.PersistentDict = StateInMemory
    fakedriver.FakeDriver = driver_class(fakedriver.FakeDriver, error, spec_file, bmc)
    app = emulator.app
    app.configure(extra_config=_settings(bmc))
    add_resources(app, bmc)
    return app


class StateInMemory(dict[Any, Any]):
    """What the emulator keeps its state in, instead of files, which are locked when several clients are the first."""

    def make_permanent(self, folder: str | None, file: str) -> None:
        """Nothing to do: it ends with the rack."""


def _settings(bmc: Bmc) -> dict[str, Any]:
    return {
        "SUSHY_EMULATOR_FAKE_DRIVER": True,
        "SUSHY_EMULATOR_AUTH_FILE": str(bmc.folder.parent / "users"),
        "SUSHY_EMULATOR_FAKE_SYSTEMS": [{"uuid": bmc.system, "name": bmc.server, "power_state": "On", "nics": []}],
        "SUSHY_EMULATOR_CHASSIS": [{"Id": bmc.server, "Name": f"Chassis of {bmc.server}", "UUID": bmc.chassis}],
    }


def driver_class(base: Any, error: Any, spec_file: Path, bmc: Bmc) -> Any:
    """The emulator's driver for systems, changed so that it switches the power of the node."""

    class NodeDriver(base):  # type: ignore[misc]
        """The one system of this BMC is a node of the rack."""

        def get_power_state(self, identity: str) -> str:
            self._get(identity)
            return power.state(spec_file, bmc.server).capitalize()

        def set_power_state(self, identity: str, state: str) -> None:
            is_off = self.get_power_state(identity) == "Off"
            action = RESETS.get(state)
            if action is None:
                raise error.NotSupportedError(f"reset type {state} is not supported")
            if action == "cycle" and is_off:
                raise error.Conflict("the system is off")
            hardware.append_event(bmc.folder, "OK", f"{state} was ordered by Redfish")
            threading.Thread(target=power.ACTIONS[action], args=(spec_file, bmc.server)).start()

    return NodeDriver


def add_resources(app: Any, bmc: Bmc) -> None:
    """Let the emulator answer with the resources of this server, and add to its own ones."""
    from flask import jsonify, request

    found = resources_by_path(bmc)

    def before() -> Any:
        make = found.get(request.path.rstrip("/")) if request.method == "GET" else None
        return jsonify(make()) if make else None

    def after(response: Any) -> Any:
        more = additions_by_path(bmc).get(request.path.rstrip("/"))
        if more and request.method == "GET" and response.status_code == 200:
            response.set_data(json.dumps({**response.get_json(), **more}))
        return response

    app.before_request(before)
    app.after_request(after)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
