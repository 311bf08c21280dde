# SPDX-License-Identifier: GPL-3.0-or-later

"""Real MariaDB and PostgreSQL servers for tests, each with a data folder, a port and a user. Needs no root.

with MariaDB(options={"max_allowed_packet": "1M"}) as database:
    engine = store.engine(database.url)
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from service_supervisor import ServiceError, Supervisor, free_port, program, user

ADDRESS = "127.0.0.1"
START_LIMIT = 60.0  # seconds; a server that was killed repairs its data first
MEMORY = Path("/dev/shm")  # a file system where nothing waits for a disk
ROOM = 2 * 1024**3  # bytes that must be free there


class Database(ABC):
    """A server with a database `rack`, its files in `folder`; without one, in a temporary folder.

    `options` are those of the server's command, without the dashes. A folder that holds data already keeps it.
    Raises `ServiceError` when the server is missing or does not answer within `START_LIMIT`.
    """

    title: str
    name: str  # of its process
    package: str

    def __init__(self, folder: Path | None = None, options: Mapping[str, str] | None = None) -> None:
        self._temporary = folder is None
        self.folder = folder.absolute() if folder else temporary_parent() / f"rack-{secrets.token_hex(6)}"
        self.options = dict(options or {})
        self.port = free_port(ADDRESS)
        self.password = secrets.token_hex(12)
        self._supervisor: Supervisor | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The database's address for SQLAlchemy, password included."""

    def start(self) -> None:
        """Start the server and wait until it answers. If the folder has no database, make one."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._prepare()
            self._supervisor = Supervisor(self.folder, temporary=self._temporary)
            self._serve()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down. Return when none of its processes is left."""
        if self._supervisor:
            self._end()
            self._supervisor.close()
            self._supervisor = None
        if self._temporary:  # without a supervisor, it is still there
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL: the server dies."""
        self._kept.kill([self.name])

    def restart(self, options: Mapping[str, str] | None = None) -> None:
        """Start the server again, at the same port, with other options if any are given; shut it down if it lives."""
        self._end()
        self.options.update(options or {})
        self._serve()

    def pid(self) -> int:
        """The server's process id; 0 when it is dead."""
        return self._kept.pids().get(self.name, 0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _kept(self) -> Supervisor:
        if not self._supervisor:
            raise ServiceError("the database is not started")
        return self._supervisor

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data, where the folder has none."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """What starts the server."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server takes connections to the database."""

    def _end(self) -> None:
        self._kept.end([self.name])

    def _serve(self) -> None:
        self._kept.start({self.name: self._command()})
        deadline = time.monotonic() + START_LIMIT
        while not self._answers():
            if time.monotonic() > deadline or not self.pid():
                log = (self.folder / f"{self.name}.log").read_text(errors="replace")
                raise ServiceError(f"{self.title} does not answer on {ADDRESS}:{self.port}: {log[-1000:].strip()}")
            time.sleep(0.02)

    def _run(self, *command: str, stdin: str = "") -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin, cwd="/")
        if done.returncode:
            raise ServiceError(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-1000:].strip()}")


def temporary_parent() -> Path:
    """Where the files of a server can be that is not to keep them: in memory if there is room."""
    with contextlib.suppress(OSError):
        found = os.statvfs(MEMORY)
        if found.f_bavail * found.f_frsize >= ROOM and os.access(MEMORY, os.W_OK):
            return MEMORY
    return Path(tempfile.gettempdir())


class MariaDB(Database):
    """MariaDB from Debian's package; as root it runs as root."""

    title = "MariaDB"
    name = "mariadbd"
    package = "mariadb-server"

    @property
    def url(self) -> str:
        """The database's address for SQLAlchemy, password included."""
        return f"mysql+pymysql://rack:{self.password}@{ADDRESS}:{self.port}/rack"

    @property
    def socket(self) -> Path:
        """Where `root` can log in without a password."""
        return self.folder / "data" / "socket"

    def _prepare(self) -> None:
        install = program("mariadb-install-db", self.package)
        (self.folder / "start.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS rack CHARACTER SET utf8mb4;\n"
            f"CREATE OR REPLACE USER rack@'%' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL ON rack.* TO rack@'%';\n"
        )
        if not (self.folder / "data").exists():
            flags = ("--auth-root-authentication-method=normal", "--skip-test-db")
            self._run(install, "--no-defaults", f"--datadir={self.folder}/data", *flags, *self._as_user())

    def _command(self) -> Sequence[str]:
        files = {"datadir": "data", "tmpdir": "", "init-file": "start.sql", "pid-file": "pid"}
        options = {
            **{name: f"{self.folder}/{file}" for name, file in files.items()},
            "socket": "socket",  # in the data folder; a full path may be longer than a socket's may be
            "bind-address": ADDRESS,
            "port": str(self.port),
            **self.options,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        return (program(self.name, self.package), "--no-defaults", "--skip-name-resolve", *words, *self._as_user())

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


class PostgreSQL(Database):
    """PostgreSQL from Debian's package, sorting by the rules of a language as most do.

    It refuses to run as root: there it runs as `USER`, who must be able to enter the folder.
    """

    title = "PostgreSQL"
    name = "postgres"
    package = "postgresql"
    USER = "postgres"  # of the system where root starts it, and the server's administrator
    PROGRAMS = Path("/usr/lib/postgresql")  # a folder for each version

    @property
    def url(self) -> str:
        """The database's address for SQLAlchemy, password included."""
        return f"postgresql+psycopg://rack:{self.password}@{ADDRESS}:{self.port}/rack"

    @property
    def root_url(self) -> str:
        """The same for the server's administrator, as psycopg takes it."""
        return f"postgresql://{self.USER}:{self.password}@{ADDRESS}:{self.port}/rack"

    def _prepare(self) -> None:
        data = self.folder / "data"
        said = [f"ALTER ROLE {name} PASSWORD '{self.password}'" for name in (self.USER, "rack")]
        if not data.exists():
            self._make(data)
            said = ["CREATE ROLE rack LOGIN", "CREATE DATABASE rack OWNER rack", *said]
        single = (*self._as_user("postgres"), "--single", "-D", str(data), "postgres")
        self._run(*single, stdin="".join(f"{statement}\n" for statement in said))

    def _make(self, data: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.USER, self.USER)
        language = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en")
        access = ("--auth-local=peer", "--auth-host=scram-sha-256", f"--username={self.USER}", "--no-sync")
        self._run(*self._as_user("initdb"), f"--pgdata={data}", *language, *access)

    def _command(self) -> Sequence[str]:
        options = {
            "listen_addresses": ADDRESS,
            "port": str(self.port),
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",  # in the data folder, so that a killed server leaves nothing
            "max_connections": "200",
            **self.options,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        return (*self._as_user("postgres"), "-D", str(self.folder / "data"), *words)

    def _answers(self) -> bool:
        asked = [str(self._bin() / "pg_isready"), "--quiet", f"--host={ADDRESS}", f"--port={self.port}"]
        return subprocess.run(asked, check=False).returncode == 0

    def _end(self) -> None:
        """SIGINT ends it at once; at the supervisor's SIGTERM it would wait for whoever is connected."""
        if pid := self.pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + START_LIMIT
            while self.pid() == pid and time.monotonic() < deadline:
                time.sleep(0.02)
        super()._end()

    def _bin(self) -> Path:
        """The folder of the newest version."""
        found = sorted(
            self.PROGRAMS.glob("*/bin/postgres"), key=lambda path: [*map(int, re.findall(r"\d+", str(path)))]
        )
        return found[-1].parent if found else Path(program("postgres", self.package)).parent

    def _as_user(self, name: str) -> list[str]:
        command = [str(self._bin() / name)]
        if os.geteuid() != 0:
            return command
        switch = (f"--reuid={self.USER}", f"--regid={self.USER}", "--clear-groups", "--pdeathsig=KILL")
        return [program("setpriv", "util-linux"), *switch, *command]
