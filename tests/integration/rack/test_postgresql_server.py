# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

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
from database_servers import PostgreSQL
from service_supervisor import ServiceError


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL(options={"work_mem": "3MB"}) as started:
        yield started


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can enter, as the server does where root starts it."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name) / "server"


def ask(server: PostgreSQL, *statements: str) -> object:
    """The first value that the last statement answers with."""
    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        answers = [connection.execute(text(statement)) for statement in statements]
        return answers[-1].scalar() if answers[-1].returns_rows else None


def test_it_answers_its_user_with_the_options_given(server: PostgreSQL) -> None:
    assert ask(server, "SELECT current_user") == "rack"
    assert ask(server, "SELECT current_database()") == "rack"
    assert ask(server, "SHOW work_mem") == "3MB"
    assert ask(server, "SHOW server_encoding") == "UTF8"
    assert server.password in server.url


def test_it_sorts_by_the_rules_of_a_language(server: PostgreSQL) -> None:
    assert ask(server, "SELECT 'a' < 'B'") is True


def test_it_does_not_run_as_root(server: PostgreSQL) -> None:
    owner = pwd.getpwuid(Path(f"/proc/{server.pid()}").stat().st_uid).pw_name
    assert owner == (PostgreSQL.USER if os.geteuid() == 0 else service_supervisor.user())


def test_the_shared_database_is_another(server: PostgreSQL, postgresql: PostgreSQL) -> None:
    assert postgresql.url != server.url
    assert ask(postgresql, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_data_survives_kill_and_restart(server: PostgreSQL) -> None:
    ask(server, "CREATE TABLE kept (a INT)", "INSERT INTO kept VALUES (7)")
    pid = server.pid()
    server.kill()
    assert (service_supervisor.start_time(pid), server.pid()) == (0, 0)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        ask(server, "SELECT 1")
    server.restart()
    assert ask(server, "SELECT a FROM kept") == 7


def test_restart_does_not_wait_for_whoever_is_connected(server: PostgreSQL) -> None:
    before = server.pid()
    with sqlalchemy.create_engine(server.url).connect() as connection:
        connection.execute(text("SELECT 1"))
        started = time.monotonic()
        server.restart({"work_mem": "4MB"})
        assert time.monotonic() - started < service_supervisor.GRACE
        connection.invalidate()
    assert server.pid() != before
    assert ask(server, "SHOW work_mem") == "4MB"


def test_a_folder_keeps_its_data_for_the_next_server(folder: Path) -> None:
    with PostgreSQL(folder) as first:
        ask(first, "CREATE TABLE kept (a INT)", "INSERT INTO kept VALUES (8)")
        pid = first.pid()
    assert not service_supervisor.start_time(pid)
    with PostgreSQL(folder) as second:
        assert ask(second, "SELECT a FROM kept") == 8


def test_nothing_is_left_when_the_owner_dies(folder: Path) -> None:
    script = (
        "import pathlib, sys, time; from database_servers import PostgreSQL; "
        "server = PostgreSQL(pathlib.Path(sys.argv[1]));"
        "server.start(); print(server.pid(), server._supervisor.process.pid, flush=True); time.sleep(1000)"
    )
    command = [sys.executable, "-c", script, str(folder)]
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


def test_a_wrong_option_shows_the_log(folder: Path) -> None:
    with pytest.raises(ServiceError, match=r'(?s)PostgreSQL does not answer .*parameter "no_such_option"'):
        PostgreSQL(folder, {"no_such_option": "1"}).start()


def test_a_missing_server_is_named_with_its_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(PostgreSQL, "PROGRAMS", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(ServiceError, match="postgres is not installed: install the package postgresql"):
        PostgreSQL(folder).start()


def test_a_plain_user_needs_no_root(plain_user: Callable[..., str]) -> None:
    script = "from database_servers import PostgreSQL\nwith PostgreSQL() as server: print(server.pid(), server.url)"
    pid, url = plain_user("-c", script).split()
    assert url.startswith("postgresql+psycopg://rack:")
    assert not service_supervisor.start_time(int(pid))
