# SPDX-License-Identifier: GPL-3.0-or-later

"""A real context server in a process of its own, and HTTP over its Unix socket."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from call_rack_recipes import COMMAND, environment

TIMEOUT = 120  # seconds: the machine may be busy


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    text: bytes

    @property
    def data(self) -> Any:
        """Its JSON data."""
        return json.loads(self.text)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("ctx", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)

    def ask(self, method: str, target: str, data: Any = ..., **headers: str) -> Answer:
        """Send one request; `data` becomes a JSON body. In names of headers `_` stands for `-`."""
        body = None if data is ... else json.dumps(data).encode()
        all_headers = {"Content-Type": "application/json"} | {name.replace("_", "-"): headers[name] for name in headers}
        self.request(method, target, body, all_headers)
        answer = self.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


class Server:
    """A server of the current folder's project; its socket lies in a folder with a short path.

    `program` is the Python program that starts it, `env` are further variables of its environment.
    """

    def __init__(self, folder: Path, *options: str, program: str = COMMAND, **env: object) -> None:
        self._env = env
        self.socket = str(folder / "ctx.sock")
        self._program = program
        self._options = ("--socket", self.socket, *options)
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it says that it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self._program, "serve", "--json", *self._options],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(**self._env),
            )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self._ended()
            raise AssertionError(self.log.read_text())
        self.ready: dict[str, Any] = json.loads(line)

    @property
    def journal(self) -> Path:
        """The journal of its run."""
        runs = Path(str(self._env.get("RACK_RECIPES_RUNS", ".rack-recipes/runs")))
        return runs.absolute() / self.ready["run_id"] / "journal.jsonl"

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self._ended()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it in good order; returns its exit code."""
        self.process.send_signal(number)
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(TIMEOUT)
        assert self.process.stdout
        self.process.stdout.close()
        return code

    def connection(self) -> UnixConnection:
        """A connection, which stays open."""
        return UnixConnection(self.socket)

    def ask(self, method: str, target: str, data: Any = ..., **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = self.connection()
        try:
            return connection.ask(method, target, data, **headers)
        finally:
            connection.close()


@contextmanager
def served(*options: str, program: str = COMMAND, **env: object) -> Iterator[Server]:
    """A server during the block; nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="rr") as folder:
        server = Server(Path(folder), *options, program=program, **env)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.kill()
