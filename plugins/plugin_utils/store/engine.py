# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the store: the engine for a URL, set up so that every database keeps and returns the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.store import files, sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.faults import patiently, shown, translated
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import is_reading
from ansible_collections.rack.recipes.plugins.plugin_utils.store.upgrade import check, upgrade

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

type Kinds = Mapping[str, Callable[[URL], Engine]]

DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
}
PACKAGES = {"sqlite": "rack-recipes", "mysql": "rack-recipes", "postgresql": "'rack-recipes[postgresql]'"}
SQLITE_WAIT = 5.0  # seconds that SQLite itself waits for another writer, before a fault that is tried again
PATIENCE = 10.0  # seconds for a server that is not there yet, or for others that migrate the same store

MYSQL_DEFAULTS = {
    "charset": "utf8mb4",
    "connect_timeout": "10",
    "read_timeout": "60",  # also ends the wait for a server that accepts and says nothing
    "write_timeout": "60",
    "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",  # without it data is cut and zeroed silently
}
STATEMENT_MARGIN = 64  # bytes of a packet that are not the statement's


def engine(url: str, patience: float = PATIENCE) -> Engine:
    """The store at a URL, made where it is missing and migrated to the newest schema.

    Takes `sqlite:///PATH`, `mysql://` and `mariadb://` (both with PyMySQL), and `postgresql://` (with psycopg).
    Waits up to `patience` seconds for what may pass. Raises StoreError, the password masked.
    """
    return _ready(_open(url, _writers), upgrade, patience)


def reader(url: str, patience: float = PATIENCE) -> Engine:
    """The store at a URL for reading only: nothing is made or migrated. Raises StoreError, also for an old schema."""
    return _ready(_open(url, _readers), check, patience)


def _ready(opened: Engine, prepare: Callable[[Engine], None], patience: float) -> Engine:
    try:
        with translated(opened.url):
            patiently(lambda: prepare(opened), patience)
    except BaseException:
        opened.dispose()
        raise
    return opened


def _open(text: str, kinds: Kinds) -> Engine:
    url = _parsed(text)
    kind = url.get_backend_name()
    if kind not in kinds:
        raise StoreError(f"{shown(url)}: expected one of {', '.join(kinds)}, not {kind}")
    try:
        return kinds[kind](url)
    except ImportError as error:
        raise StoreError(
            f"{shown(url)}: no driver: {error}: `pip install {PACKAGES[kind]}` brings one for {kind}://"
        ) from error


def _parsed(text: str) -> URL:
    try:
        url = sql.make_url(text)
        url.get_dialect()
    except StoreError:  # SQLAlchemy is missing
        raise
    except Exception:  # whatever it is, its text and its trace may hold the password
        raise StoreError(
            "the store's URL cannot be read: expected sqlite:///PATH or mysql://USER:PASSWORD@HOST/DATABASE, "
            "special characters in the password percent-encoded as in a web address"
        ) from None
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise StoreError(f"{shown(url)}: results in memory would be lost, name a file: sqlite:///PATH")
    return Path(url.database).absolute()


def _sqlite_writer(url: URL) -> Engine:
    path = _sqlite_path(url)
    files.prepare(path)
    opened = sql.create_engine(url.set(database=str(path)), hide_parameters=True, connect_args={"timeout": SQLITE_WAIT})
    sql.event.listen(opened, "connect", _set_up_sqlite)
    sql.event.listen(opened, "begin", _begin_sqlite)
    return opened


def _sqlite_reader(url: URL) -> Engine:
    path = _sqlite_path(url)
    if not path.exists():
        raise StoreError(f"{shown(url)}: there is no store yet, it is made by the first run")
    read_only = url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    return sql.create_engine(read_only, hide_parameters=True, connect_args={"timeout": SQLITE_WAIT})


def _set_up_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # so that only BEGIN begins, and DDL is rolled back with the rest
    try:
        for pragma in ("foreign_keys = on", "synchronous = normal", "journal_mode = wal"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:  # the pool does not know it yet
        connection.close()
        raise


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that turns from reading to writing fails at once when another wrote: begin as a writer."""
    connection.exec_driver_sql("BEGIN" if is_reading(connection) else "BEGIN IMMEDIATE")


def _mysql(url: URL) -> Engine:
    defaults = {name: value for name, value in MYSQL_DEFAULTS.items() if name not in url.query}
    opened = sql.create_engine(
        url.update_query_dict(defaults),
        hide_parameters=True,
        pool_pre_ping=True,
        paramstyle="format",  # rows are tuples
        isolation_level="READ COMMITTED",  # the stricter default locks gaps between rows: more deadlocks
    )
    sql.event.listen(opened, "connect", _read_packet_limit)
    sql.event.listen(opened, "before_cursor_execute", _limit_statements)
    return opened


def _read_packet_limit(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        record.info["max_allowed_packet"] = cursor.fetchone()[0]


def _limit_statements(connection: Connection, cursor: Any, *call: Any) -> None:
    """PyMySQL puts many rows into one statement, of a length that may be more than the server takes."""
    limit = connection.info["max_allowed_packet"] - STATEMENT_MARGIN
    cursor.max_stmt_length = min(type(cursor).max_stmt_length, limit)


def _postgresql(url: URL) -> Engine:
    return sql.create_engine(url, hide_parameters=True, pool_pre_ping=True, paramstyle="format")


_writers: Kinds = {"sqlite": _sqlite_writer, "mysql": _mysql, "postgresql": _postgresql}
_readers: Kinds = {"sqlite": _sqlite_reader, "mysql": _mysql, "postgresql": _postgresql}
