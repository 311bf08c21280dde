# SPDX-License-Identifier: GPL-3.0-or-later

"""BMCs that speak Redfish: an emulator of sushy-tools for each, on a loopback address of its own.

with BmcSimulators(8) as bmcs:
    bmcs.url("bmc01")
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import service_supervisor
from service_supervisor import ServiceError, Supervisor, program

FIRST_ADDRESS = "127.0.3.1"
START_LIMIT = 60.0  # seconds; each is a Python program
CONFIG = """\
SUSHY_EMULATOR_FAKE_DRIVER = True
SUSHY_EMULATOR_LISTEN_IP = "{address}"
SUSHY_EMULATOR_LISTEN_PORT = {port}
SUSHY_EMULATOR_STATE_DIR = "{state}"
SUSHY_EMULATOR_FAKE_SYSTEMS = [{{"uuid": "{system}", "name": "{name}", "power_state": "On", "nics": []}}]
"""


@dataclass(frozen=True)
class Bmc:
    """Where one BMC listens, and the Redfish id of its system."""

    name: str
    address: str
    port: int
    system: str


class BmcSimulators:
    """`count` BMCs, bmc01 and on. Raises ServiceError where the emulator is missing or does not answer in time."""

    def __init__(self, count: int = 8) -> None:
        self.folder = Path(tempfile.gettempdir(), f"bmcs-{secrets.token_hex(6)}")
        addresses = [str(ip_address(FIRST_ADDRESS) + number) for number in range(count)]
        self.members = {
            f"bmc{number:02}": Bmc(
                f"bmc{number:02}",
                address,
                service_supervisor.free_port(address),
                str(uuid.uuid5(uuid.NAMESPACE_DNS, address)),
            )
            for number, address in enumerate(addresses, start=1)
        }
        self._supervisor: Supervisor | None = None

    def url(self, name: str) -> str:
        """The address of a BMC's Redfish service."""
        bmc = self.members[name]
        return f"http://{bmc.address}:{bmc.port}/redfish/v1"

    def kill(self, *names: str) -> None:
        """SIGKILL to these BMCs."""
        assert self._supervisor
        self._supervisor.kill(names)

    def __enter__(self) -> Self:
        # beside this Python, where the environment of the tests has it
        folder = Path(sys.executable).parent
        emulator = str(folder / "sushy-emulator")
        if not Path(emulator).exists():
            emulator = program("sushy-emulator", "sushy-tools of PyPI")
        self.folder.mkdir(mode=0o700)
        commands = {}
        for bmc in self.members.values():
            state = self.folder / bmc.name
            state.mkdir()
            config = self.folder / f"{bmc.name}.conf"
            config.write_text(CONFIG.format(state=state, **vars(bmc)))
            commands[bmc.name] = (emulator, "--fake", "--config", str(config))
        self._supervisor = Supervisor(self.folder, temporary=True)
        try:
            self._supervisor.start(commands)
            self._wait()
        except BaseException:
            self._supervisor.close()
            raise
        return self

    def _wait(self) -> None:
        until = time.monotonic() + START_LIMIT
        for bmc in self.members.values():
            while not _answers(bmc):
                if time.monotonic() > until:
                    raise ServiceError(f"{bmc.name} does not answer on {bmc.address}:{bmc.port}")
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._supervisor:
            self._supervisor.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _answers(bmc: Bmc) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((bmc.address, bmc.port), timeout=1):
        return True
    return False
