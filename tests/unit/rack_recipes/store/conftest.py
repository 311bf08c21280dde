# SPDX-License-Identifier: GPL-3.0-or-later

"""The store's tests run over each database: a SQLite file, and a MariaDB and a PostgreSQL that are real as well."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import psycopg
import pymysql
import pytest
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from rack_recipes.journal.append import append
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.migrate_and_check import differences
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.schema.views import VIEWS

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
        for view in VIEWS:
            connection.execute(text(f"DROP VIEW IF EXISTS {view}"))
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on SQLite and on a server; on the other server it repeats, except with `every_database`."""
    first, other = sorted(SERVERS, reverse=bool(crc32(metafunc.function.__name__.encode()) % 2))
    for fixture in {"made", "url"}.intersection(metafunc.fixturenames):
        repeats = () if "every_database" in metafunc.fixturenames else pytest.mark.repeats
        metafunc.parametrize(fixture, ["sqlite", first, pytest.param(other, marks=repeats)], indirect=True)


@pytest.fixture
def every_database() -> None:
    """For tests of what could differ between the servers: they run on both, always."""


@pytest.fixture
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

    def opened(url: str, opener: Callable[..., Engine] = connect_store, **options: Any) -> Engine:
        engines.append(opener(url, **options))
        return engines[-1]

    yield opened
    for each in engines:
        each.dispose()


@pytest.fixture
def new_store(url: str, opened: Callable[..., Engine]) -> Engine:
    """A store that the migrations have made for this test, which may change its tables."""
    return opened(url)


MADE = "made"  # a second database of each server, and its user


@pytest.fixture(scope="session")
def made_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store without rows, to copy."""
    path = tmp_path_factory.mktemp(MADE) / "results.db"
    connect_store(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(scope="session")
def made_mariadb(mariadb: MariaDB) -> Iterator[Engine]:
    """A second database, of a user whom the server's restart leaves alone, with all tables."""
    with pymysql.connect(unix_socket=str(mariadb.socket), user="root") as connection:
        for statement in (
            f"CREATE DATABASE {MADE} CHARACTER SET utf8mb4",
            f"CREATE USER {MADE}@'%' IDENTIFIED BY '{mariadb.password}'",
            f"GRANT ALL ON {MADE}.* TO {MADE}@'%'",
        ):
            connection.cursor().execute(statement)
    yield from kept(make_url(mariadb.url).set(username=MADE, database=MADE).render_as_string(hide_password=False))


@pytest.fixture(scope="session")
def made_postgresql(postgresql: PostgreSQL) -> Iterator[Engine]:
    """A second database, with all tables."""
    with psycopg.connect(postgresql.root_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {MADE} OWNER rack")
    yield from kept(make_url(postgresql.url).set(database=MADE).render_as_string(hide_password=False))


def kept(url: str) -> Iterator[Engine]:
    """The store at a URL, whose tables must be in the end as they are now."""
    connect_store(url).dispose()
    store = create_engine(url, pool_pre_ping=True)  # the tests end connections
    yield store
    assert differences(store) == []
    store.dispose()


def empty(store: Engine) -> None:
    with store.begin() as connection:
        for table in reversed(tables().metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store without rows. Its tables are made once for all tests, so leave them as they are."""
    found = request.getfixturevalue(f"made_{request.param}")
    if isinstance(found, Engine):
        yield found.url.render_as_string(hide_password=False)
        empty(found)
    else:
        path = tmp_path / "store" / "results.db"
        path.parent.mkdir()
        shutil.copy(found, path)
        yield f"sqlite:///{path}"


@pytest.fixture
def store(made: str, opened: Callable[..., Engine]) -> Engine:
    """A store without rows. Leave its tables as they are."""
    return opened(made)


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
