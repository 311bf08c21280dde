# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

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
from database_servers import MariaDB
from service_supervisor import ServiceError


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    with MariaDB(options={"max_allowed_packet": "1M"}) as started:
        yield started


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder where no server waits for a disk."""
    with TemporaryDirectory(dir=database_servers.temporary_parent()) as name:
        yield Path(name)


def ask(server: MariaDB, *statements: str) -> object:
    """The first value that the last statement answers with."""
    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        answers = [connection.execute(text(statement)) for statement in statements]
        return answers[-1].scalar() if answers[-1].returns_rows else None


def test_it_answers_its_user_with_the_options_given(server: MariaDB) -> None:
    assert ask(server, "SELECT current_user()") == "rack@%"
    assert ask(server, "SELECT database()") == "rack"
    assert ask(server, "SELECT @@max_allowed_packet") == 1 << 20
    assert server.password in server.url


def test_the_shared_database_is_another(server: MariaDB, mariadb: MariaDB) -> None:
    assert mariadb.url != server.url
    assert ask(mariadb, "SHOW TABLES") is None


def test_root_logs_in_at_the_socket(server: MariaDB) -> None:
    command = ["mariadb", f"--socket={server.socket}", "--user=root", "--batch", "--skip-column-names"]
    done = subprocess.run([*command, "-e", "SELECT current_user()"], capture_output=True, text=True, check=True)
    assert done.stdout == "root@localhost\n"


def test_data_survives_kill_and_restart(server: MariaDB) -> None:
    ask(server, "CREATE TABLE kept (a INT)", "INSERT INTO kept VALUES (7)")
    pid = server.pid()
    server.kill()
    assert (service_supervisor.start_time(pid), server.pid()) == (0, 0)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        ask(server, "SELECT 1")
    server.restart()
    assert ask(server, "SELECT a FROM kept") == 7


def test_restart_ends_a_living_server_and_takes_options(server: MariaDB) -> None:
    before = server.pid()
    server.restart({"max_allowed_packet": "2M"})
    assert server.pid() != before
    assert ask(server, "SELECT @@max_allowed_packet") == 2 << 20


def test_a_folder_keeps_its_data_for_the_next_server(folder: Path) -> None:
    with MariaDB(folder) as first:
        ask(first, "CREATE TABLE kept (a INT)", "INSERT INTO kept VALUES (8)")
        pid = first.pid()
    assert not service_supervisor.start_time(pid)
    with MariaDB(folder) as second:
        assert ask(second, "SELECT a FROM kept") == 8


def test_nothing_is_left_when_the_owner_dies(folder: Path) -> None:
    script = (
        "import pathlib, sys, time; from database_servers import MariaDB; server = MariaDB(pathlib.Path(sys.argv[1]));"
        "server.start(); print(server.pid(), server._supervisor.process.pid, flush=True); time.sleep(1000)"
    )
    command = [sys.executable, "-c", script, str(folder)]
    tools = Path(database_servers.__file__).parent
    with subprocess.Popen(command, cwd=tools, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert all(map(service_supervisor.start_time, pids))
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(service_supervisor.start_time, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(service_supervisor.start_time, pids))


def test_a_wrong_option_shows_the_log(folder: Path) -> None:
    with pytest.raises(ServiceError, match=r"(?s)MariaDB does not answer .*unknown variable 'no_such_option=1'"):
        MariaDB(folder, {"no_such_option": "1"}).start()


def test_a_missing_server_is_named_with_its_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(ServiceError, match="mariadb-install-db is not installed: install the package mariadb-server"):
        MariaDB(folder).start()


def test_a_plain_user_needs_no_root(plain_user: Callable[..., str]) -> None:
    script = "from database_servers import MariaDB\nwith MariaDB() as server: print(server.pid(), server.url)"
    pid, url = plain_user("-c", script).split()
    assert url.startswith("mysql+pymysql://rack:")
    assert not service_supervisor.start_time(int(pid))
