# SPDX-License-Identifier: GPL-3.0-or-later

"""A hall of GPU servers that nobody here wrote: simhall's hall-b, with its NetBox, in a process of its own.

with SimulatedHall() as hall:
    hall.break_({"kind": "missing_link", "cable": "CBL-12-07-03"})
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import service_supervisor
from service_supervisor import ServiceError, Supervisor

HALL = "hall-b"
START_LIMIT = 60.0  # seconds
SLOW = "6"  # seconds that a device takes which does not answer in time


class SimulatedHall:
    """hall-b without the fault that is planted in it. Raises ServiceError where it does not start in time."""

    def __init__(self, before: Sequence[str] = (), *, arista: bool = False) -> None:
        """`before` are words before its command, such as those of nice. `arista`: its switches have eAPI, not NVUE."""
        self._before, self._arista = tuple(before), arista
        self._program = str(Path(sys.executable).with_name("simhall"))
        self.folder = Path(tempfile.gettempdir(), f"hall-{secrets.token_hex(6)}")
        self.port = service_supervisor.free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{self.port}"
        self.netbox = f"{self.url}/netbox"
        self._supervisor: Supervisor | None = None

    def break_(self, fault: Mapping[str, Any]) -> None:
        """Put a fault into the hall. Raises urllib.error.HTTPError for one that is not possible."""
        self._ask("POST", "/sim/faults", fault)

    def heal(self) -> None:
        """Take all faults out of the hall."""
        for fault in self._ask("GET", "/sim/faults"):
            self._ask("DELETE", f"/sim/faults/{fault['id']}")

    def intent(self) -> dict[str, Any]:
        """What is planned: devices and cables."""
        found: dict[str, Any] = self._ask("GET", "/sim/intent")
        return found

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700)
        source = ("--spec", str(self._spec())) if self._arista else ("--golden", HALL)
        words = ("serve", *source, "--port", str(self.port), "--timeout-sleep", SLOW, "--log-level", "warning")
        self._supervisor = Supervisor(self.folder, temporary=True)
        try:
            self._supervisor.start({"hall": (*self._before, self._program, *words)})
            self._wait()
            self.heal()
        except BaseException:
            self._supervisor.close()
            raise
        return self

    def _spec(self) -> Path:
        """The hall with switches of Arista, whose ports have other names."""
        done = subprocess.run([self._program, "golden-spec", HALL], capture_output=True, text=True, check=True)
        spec = self.folder / "spec.yml"
        text = done.stdout.replace("switch_vendor: nvidia", "switch_vendor: arista")
        spec.write_text(re.sub(r"\bswp(\d+)", r"Ethernet\1", text), encoding="utf-8")
        return spec

    def _wait(self) -> None:
        until = time.monotonic() + START_LIMIT
        while True:
            try:
                self._ask("GET", "/sim/health")
            except (OSError, urllib.error.URLError):
                if time.monotonic() > until:
                    raise ServiceError(f"simhall does not answer on {self.url}") from None
                time.sleep(0.1)
            else:
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._supervisor:
            self._supervisor.close()
        shutil.rmtree(self.folder, ignore_errors=True)
