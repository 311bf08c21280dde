# SPDX-License-Identifier: GPL-3.0-or-later

"""The database servers of the tests: each database keeps its data, and leaves nothing."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy
from sqlalchemy import text

import database_servers
import service_supervisor
from database_servers import MariaDB, PostgreSQL
from service_supervisor import ServiceError

Server = MariaDB | PostgreSQL
OPTIONS = {MariaDB: ("max_allowed_packet", "1M", "2M"), PostgreSQL: ("work_mem", "3MB", "4MB")}
SHOWN = {MariaDB: ("SELECT @@max_allowed_packet DIV 1048576", 1, 2), PostgreSQL: ("SHOW work_mem", "3MB", "4MB")}
OWNER = """
import pathlib, sys, time, database_servers
server = getattr(database_servers, sys.argv[1])(pathlib.Path(sys.argv[2]))
server.start()
print(server.pid(), server._supervisor.process.pid, flush=True)
time.sleep(1000)
"""


@pytest.fixture(scope="module", params=OPTIONS, ids=lambda kind: kind.__name__)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    name, value, _other = OPTIONS[request.param]
    with request.param(options={name: value}) as started:
        yield started


@pytest.fixture(params=OPTIONS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Server]:
    return request.param


@pytest.fixture
def folder(kind: type[Server]) -> Iterator[Path]:
    """A folder that the server may enter, where root starts it, too; for MariaDB one that waits for no disk."""
    with TemporaryDirectory(dir=database_servers.temporary_parent() if kind is MariaDB else None) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "server"


def ask(server: Server, *statements: str) -> object:
    """The first value that the last statement answers with."""
    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        answers = [connection.execute(text(statement)) for statement in statements]
        return answers[-1].scalar() if answers[-1].returns_rows else None


def test_it_answers_its_user_with_the_options_given(server: Server) -> None:
    question, value, _other = SHOWN[type(server)]
    assert ask(server, question) == value
    assert f"rack:{server.password}@" in server.url


def test_postgresql_does_not_run_as_root_and_sorts_by_the_rules_of_a_language(postgresql: PostgreSQL) -> None:
    owner = pwd.getpwuid(Path(f"/proc/{postgresql.pid()}").stat().st_uid).pw_name
    assert owner == (PostgreSQL.USER if os.geteuid() == 0 else service_supervisor.user())
    assert ask(postgresql, "SELECT 'a' < 'B'") is True


def test_data_survives_kill_and_restart(server: Server) -> None:
    ask(server, "CREATE TABLE kept (a INT)", "INSERT INTO kept VALUES (7)")
    pid = server.pid()
    server.kill()
    assert (service_supervisor.start_time(pid), server.pid()) == (0, 0)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        ask(server, "SELECT 1")
    server.restart()
    assert ask(server, "SELECT a FROM kept") == 7


def test_restart_waits_for_nobody_who_is_connected_and_takes_options(server: Server) -> None:
    before, (name, _value, other) = server.pid(), OPTIONS[type(server)]
    with contextlib.suppress(sqlalchemy.exc.OperationalError), sqlalchemy.create_engine(server.url).connect() as held:
        held.execute(text("SELECT 1"))
        started = time.monotonic()
        server.restart({name: other})
        assert time.monotonic() - started < service_supervisor.GRACE
        held.invalidate()
    assert server.pid() != before
    assert ask(server, SHOWN[type(server)][0]) == SHOWN[type(server)][2]


def test_a_folder_keeps_its_data_for_the_next_server(kind: type[Server], folder: Path) -> None:
    with kind(folder) as first:
        ask(first, "CREATE TABLE kept (a INT)", "INSERT INTO kept VALUES (8)")
        pid = first.pid()
    assert not service_supervisor.start_time(pid)
    with kind(folder) as second:
        assert ask(second, "SELECT a FROM kept") == 8


def test_nothing_is_left_when_the_owner_dies(kind: type[Server], folder: Path) -> None:
    command = [sys.executable, "-c", OWNER, kind.__name__, str(folder)]
    tools = Path(database_servers.__file__).parent
    with subprocess.Popen(command, cwd=tools, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        pids = [int(word) for word in owner.stdout.readline().split()]
        pids += service_supervisor.descendants(pids[0])
        assert all(map(service_supervisor.start_time, pids))
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(service_supervisor.start_time, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(service_supervisor.start_time, pids))


def test_what_keeps_a_server_from_starting_is_told(
    kind: type[Server], folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ServiceError, match=rf"(?s){kind.__name__} does not answer .*no_such_option"):
        kind(folder, {"no_such_option": "1"}).start()
    monkeypatch.setattr(PostgreSQL, "PROGRAMS", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(ServiceError, match=rf"is not installed: install the package {kind.__name__.lower()}"):
        kind(folder.with_name("other")).start()


def test_a_plain_user_needs_no_root(kind: type[Server], plain_user: Callable[..., str]) -> None:
    name = kind.__name__
    script = f"from database_servers import {name}\nwith {name}() as server: print(server.pid(), server.url)"
    pid, url = plain_user("-c", script).split()
    assert "://rack:" in url
    assert not service_supervisor.start_time(int(pid))
