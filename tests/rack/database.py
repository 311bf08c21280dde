# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real MariaDB of its own: a data folder, a port, a user. Needs no root.

with MariaDB(options={"max_allowed_packet": "1M"}) as database:
    engine = store.engine(database.url)
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from keeper import Keeper, ServiceError, free_port, program, user

PACKAGE = "mariadb-server"
ADDRESS = "127.0.0.1"
START_LIMIT = 60.0  # seconds; a server that was killed repairs its data first
NAME = "mariadbd"


class MariaDB:
    """A server with a database `rack`, its files in `folder`; without one, in a temporary folder.

    `options` are those of mariadbd, without the dashes. A folder that holds data already keeps it.
    Raises `ServiceError` when MariaDB is missing or does not answer within `START_LIMIT`.
    """

    def __init__(self, folder: Path | None = None, options: Mapping[str, str] | None = None) -> None:
        self._temporary = folder is None
        self.folder = folder.absolute() if folder else Path(tempfile.gettempdir(), f"rack-{secrets.token_hex(6)}")
        self.options = dict(options or {})
        self.port = free_port(ADDRESS)
        self.password = secrets.token_hex(12)
        self._keeper: Keeper | None = None

    @property
    def url(self) -> str:
        """The database's address for SQLAlchemy, password included."""
        return f"mysql+pymysql://rack:{self.password}@{ADDRESS}:{self.port}/rack"

    @property
    def socket(self) -> Path:
        """Where `root` can log in without a password."""
        return self.folder / "data" / "socket"

    def start(self) -> None:
        """Make the database, where the folder has none, and wait until it answers."""
        try:
            self._prepare()
            self._keeper = Keeper(self.folder, temporary=self._temporary)
            self._serve()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down; returns when nothing is left of it."""
        if self._keeper:
            self._keeper.end([NAME])
            self._keeper.close()
            self._keeper = None
        if self._temporary:  # without a keeper, it is still there
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL: the server dies."""
        self._kept.kill([NAME])

    def restart(self, options: Mapping[str, str] | None = None) -> None:
        """Start the server again, at the same port, with other options if any are given; shut it down if it lives."""
        self._kept.end([NAME])
        self.options.update(options or {})
        self._serve()

    def pid(self) -> int:
        """The server's process id; 0 when it is dead."""
        return self._kept.pids().get(NAME, 0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _kept(self) -> Keeper:
        if not self._keeper:
            raise ServiceError("the database is not started")
        return self._keeper

    def _prepare(self) -> None:
        install = program("mariadb-install-db", PACKAGE)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "start.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS rack CHARACTER SET utf8mb4;\n"
            f"CREATE OR REPLACE USER rack@'%' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL ON rack.* TO rack@'%';\n"
        )
        if not (self.folder / "data").exists():
            flags = ("--auth-root-authentication-method=normal", "--skip-test-db")
            self._run(install, "--no-defaults", f"--datadir={self.folder}/data", *flags, *self._as_user())

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"{command[0]} failed: {(done.stdout + done.stderr)[-1000:].strip()}")

    def _serve(self) -> None:
        files = {"datadir": "data", "tmpdir": "", "init-file": "start.sql", "pid-file": "pid"}
        options = {
            **{name: f"{self.folder}/{file}" for name, file in files.items()},
            "socket": "socket",  # in the data folder; a full path may be longer than a socket's may be
            "bind-address": ADDRESS,
            "port": str(self.port),
            **self.options,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        command = (program(NAME, PACKAGE), "--no-defaults", "--skip-name-resolve", *words, *self._as_user())
        self._kept.start({NAME: command})
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not self._answers():
            if time.monotonic() > deadline or not self.pid():
                log = (self.folder / f"{NAME}.log").read_text(errors="replace")
                raise ServiceError(f"MariaDB does not answer on {ADDRESS}:{self.port}: {log[-1000:].strip()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        """Whether the server sends its greeting, which it does once `start.sql` is done."""
        try:
            with socket.create_connection((ADDRESS, self.port), timeout=START_LIMIT) as connection:
                return len(connection.recv(5)) == 5
        except OSError:
            return False

    def _as_user(self) -> list[str]:
        """MariaDB runs as root only when told to by name; another user may not tell it."""
        return [f"--user={user()}"] if os.geteuid() == 0 else []
