# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQLite: one file, a write-ahead log, and transactions that begin as writers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rack_recipes.errors import StoreError
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database import sqlite_file
from rack_recipes.store.database.database_kind import DatabaseKind
from rack_recipes.store.database.hide_url_password import shown
from rack_recipes.store.database.read_only_connection import is_reading

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

WAIT = 2.0  # seconds that SQLite waits for another writer; an error must come before the recorder gives up waiting


def writer(url: URL) -> Engine:
    """An engine for a file, which is made if it is missing. Raises StoreError, also on a network file system."""
    path = _path(url)
    sqlite_file.prepare(path)
    opened = sql.create_engine(url.set(database=str(path)), hide_parameters=True, connect_args={"timeout": WAIT})
    sql.event.listen(opened, "connect", _set_up)
    sql.event.listen(opened, "begin", _begin)
    return opened


def reader(url: URL) -> Engine:
    """An engine that can only read an existing file. Raises StoreError where the file is missing."""
    path = _path(url)
    if not path.exists():
        raise StoreError(f"{shown(url)}: there is no store yet, it is made by the first run")
    still = {"immutable": "1"} if _is_still(path) else {}
    read_only = url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true", **still})
    return sql.create_engine(read_only, hide_parameters=True, connect_args={"timeout": WAIT})


def _is_still(path: Path) -> bool:
    """Whether the store is closed and its folder read-only, so that SQLite cannot make the log that it reads with."""
    log, index = (path.with_name(f"{path.name}-{part}") for part in ("wal", "shm"))
    is_open = log.exists() and (index.exists() or log.stat().st_size > 0)
    return not is_open and not os.access(path.parent, os.W_OK)


def _path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise StoreError(f"{shown(url)}: results in memory would be lost, name a file: sqlite:///PATH")
    return Path(url.database).absolute()


def _set_up(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin with BEGIN only, and DDL is rolled back with the rest
    try:
        for pragma in ("foreign_keys = on", "synchronous = normal", "journal_mode = wal"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:  # the pool would not close it
        connection.close()
        raise


def _begin(connection: Connection) -> None:
    """Begin as a writer: a transaction that reads first and then writes fails if another one wrote in between."""
    connection.exec_driver_sql("BEGIN" if is_reading(connection) else "BEGIN IMMEDIATE")


KIND = DatabaseKind(
    name="sqlite",
    writer=writer,
    reader=reader,
    driver="sqlite3",
    is_in_python=True,
    code_of=lambda raised: getattr(raised, "sqlite_errorcode", 0) & 0xFF,  # the primary code of an extended one
    passing=frozenset(
        {
            5,  # SQLITE_BUSY: another writer, for longer than the connection waits
            6,  # SQLITE_LOCKED
            13,  # SQLITE_FULL: the disk
        }
    ),
    advice={
        8: "the file or its folder is read-only",
        11: "the file is damaged; restore it, the runs' journals bring back what is missing",
        13: "the disk is full",
        14: "check that its folder exists and may be written",
        26: "the file is not an SQLite database",
    },
)
