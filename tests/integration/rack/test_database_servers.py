# SPDX-License-Identifier: GPL-3.0-or-later

"""The database servers of the tests: what the tests of the store need besides a server that answers them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy
from sqlalchemy import text

import database_servers
import service_supervisor
from database_servers import MariaDB, PostgreSQL

Server = MariaDB | PostgreSQL


class Kind(NamedTuple):
    """A kind of server: an option with a value at the start and one later, and how to read it."""

    server: type[Server]
    option: str
    values: tuple[str, str]
    shown: str


KINDS = {
    "mariadb": Kind(MariaDB, "max_connections", ("50", "60"), "SELECT @@max_connections"),
    "postgresql": Kind(PostgreSQL, "work_mem", ("3MB", "4MB"), "SHOW work_mem"),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def server(kind: Kind) -> Iterator[Server]:
    with kind.server(options={kind.option: kind.values[0]}) as started:
        yield started


def ask(server: Server, *statements: str) -> object:
    """The first value that the last statement answers with."""
    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        answers = [connection.execute(text(statement)) for statement in statements]
        return answers[-1].scalar() if answers[-1].returns_rows else None


def test_data_survives_kill_and_restart(server: Server, kind: Kind) -> None:
    ask(server, "CREATE TABLE kept (a INT)", "INSERT INTO kept VALUES (7)")
    pid = server.pid()
    server.kill()
    assert (service_supervisor.start_time(pid), server.pid()) == (0, 0)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        ask(server, "SELECT 1")
    server.restart()
    assert ask(server, "SELECT a FROM kept") == 7
    assert str(ask(server, kind.shown)) == kind.values[0]


def test_restart_ends_a_living_server_and_takes_options(server: Server, kind: Kind) -> None:
    before = server.pid()
    with sqlalchemy.create_engine(server.url).connect() as connection:  # which is not waited for
        connection.execute(text("SELECT 1"))
        server.restart({kind.option: kind.values[1]})
        connection.invalidate()
    assert server.pid() != before
    assert str(ask(server, kind.shown)) == kind.values[1]


@pytest.mark.repeats(one_in=2)
def test_nothing_is_left_when_the_owner_dies(kind: Kind) -> None:
    script = (
        f"import time; from database_servers import {kind.server.__name__} as Server; server = Server();"
        "server.start(); print(server.pid(), server._supervisor.process.pid, flush=True); time.sleep(1000)"
    )
    tools = Path(database_servers.__file__).parent
    with subprocess.Popen([sys.executable, "-c", script], cwd=tools, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        pids = [int(word) for word in owner.stdout.readline().split()]
        pids += service_supervisor.descendants(pids[0])
        assert all(map(service_supervisor.start_time, pids))
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(service_supervisor.start_time, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(service_supervisor.start_time, pids))


@pytest.mark.repeats
def test_a_plain_user_needs_no_root(kind: Kind, plain_user: Callable[..., str]) -> None:
    name = kind.server.__name__
    script = f"from database_servers import {name}\nwith {name}() as server: print(server.pid(), server.url)"
    pid, url = plain_user("-c", script).split()
    assert "://rack:" in url
    assert not service_supervisor.start_time(int(pid))
