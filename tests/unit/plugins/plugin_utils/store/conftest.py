# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store's tests run over each database: a SQLite file, and a MariaDB and a PostgreSQL that are real as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database_engine import engine

if TYPE_CHECKING:
    from database_servers import MariaDB, PostgreSQL

Record = dict[str, Any]
Written = Callable[..., Path]


def drop_tables(url: str) -> None:
    store = create_engine(url)
    with store.begin() as connection:
        tables = inspect(connection).get_table_names()
        if store.dialect.name == "mysql":
            connection.execute(text("SET foreign_key_checks = 0"))
        for table in tables:
            connection.execute(text(f"DROP TABLE {table}{' CASCADE' if store.dialect.name == 'postgresql' else ''}"))
    store.dispose()


@pytest.fixture
def emptied(mariadb: MariaDB) -> Iterator[MariaDB]:
    """MariaDB, left without tables."""
    yield mariadb
    drop_tables(mariadb.url)


@pytest.fixture
def cleared(postgresql: PostgreSQL) -> Iterator[PostgreSQL]:
    """PostgreSQL, left without tables."""
    yield postgresql
    drop_tables(postgresql.url)


SERVERS = {"mariadb": "emptied", "postgresql": "cleared"}


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store/results.db"
    server: MariaDB | PostgreSQL = request.getfixturevalue(SERVERS[request.param])
    return server.url


@pytest.fixture
def opened() -> Iterator[Callable[..., Engine]]:
    """Opens stores that are closed after the test."""
    engines: list[Engine] = []

    def opened(url: str, opener: Callable[..., Engine] = engine, **options: Any) -> Engine:
        engines.append(opener(url, **options))
        return engines[-1]

    yield opened
    for each in engines:
        each.dispose()


@pytest.fixture
def store(url: str, opened: Callable[..., Engine]) -> Engine:
    return opened(url)


@pytest.fixture
def journal(tmp_path: Path) -> Written:
    """Appends records to the journal of a run, and returns its path."""

    def journal(records: Iterable[Record], run_id: str = "R1") -> Path:
        path = tmp_path / "runs" / run_id / "journal.jsonl"
        append(path, records)
        return path

    return journal


@pytest.fixture
def root(mariadb: MariaDB) -> Iterator[Any]:
    """A cursor of MariaDB's administrator."""
    with pymysql.connect(unix_socket=str(mariadb.socket), user="root", database="rack") as connection:
        yield connection.cursor()


@pytest.fixture
def admin(postgresql: PostgreSQL) -> Iterator[Any]:
    """A cursor of PostgreSQL's administrator, each of its statements a transaction."""
    with psycopg.connect(postgresql.root_url, autocommit=True) as connection:
        yield connection.cursor()
