# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL, through psycopg: all waits have a limit, and COPY can be executed like any other statement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from rack_recipes.errors import StoreError
from rack_recipes.store.database.database_kind import DatabaseKind, last_argument, name_type

if TYPE_CHECKING:
    from psycopg import Error

DEFAULTS = {
    "client_encoding": "utf8",
    "connect_timeout": "10",
    "keepalives_idle": "20",  # these four limit the wait for a server that has disappeared
    "keepalives_interval": "10",
    "keepalives_count": "4",
    "tcp_user_timeout": "60000",
    "options": "-c lock_timeout=50s",  # the same as MySQL's; by default the wait for a lock has no limit
}
COPY = "COPY "  # statements that begin so send their rows by the protocol for bulk data
ENCODING = "UTF8"
# When a server refuses a connection, psycopg gives no code but only the text of the error.
REFUSALS: Mapping[str, re.Pattern[str]] = {
    "28P01": re.compile(r"FATAL: .*password authentication failed"),
    "28000": re.compile(r"FATAL: .*(role .* does not exist|not permitted to log in|no pg_hba\.conf entry)"),
    "3D000": re.compile(r"FATAL: .*database .* does not exist"),
    "42501": re.compile(r"FATAL: .*permission denied"),
}
LOST = "08000"


def engine(url: sql.URL) -> sql.Engine:
    """An engine for an existing database. Options in the URL win over `DEFAULTS`."""
    defaults = {name: value for name, value in DEFAULTS.items() if name not in url.query}
    opened = sql.create_engine(
        url.update_query_dict(defaults),
        hide_parameters=True,
        pool_pre_ping=True,
        paramstyle="format",  # rows are tuples
    )
    sql.event.listen(opened, "connect", _refuse_other_encodings)
    sql.event.listen(opened, "do_execute", _copy_one)
    sql.event.listen(opened, "do_executemany", _copy)
    return opened


def _refuse_other_encodings(connection: Any, record: object) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        name = connection.info.dbname
        connection.close()  # the pool would not close it
        raise StoreError(
            f"the database {name} holds texts as {encoding}, which lacks characters: "
            f"CREATE DATABASE ... ENCODING '{ENCODING}' TEMPLATE template0 makes one that has all"
        )


def _copy(cursor: Any, statement: str, rows: Iterable[tuple[object, ...]], context: object) -> bool:
    """Write the rows of a COPY, which psycopg executes in this way only; returns whether the statement was one."""
    if not statement.startswith(COPY):
        return False
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
    return True


def _copy_one(cursor: object, statement: str, row: tuple[object, ...], context: object) -> bool:
    return _copy(cursor, statement, [row], context)


def _sqlstate(raised: Error) -> str | None:
    """The code of an error; where psycopg has none, as for a failed or broken connection, one that fits."""
    if raised.sqlstate or type(raised).__name__ != "OperationalError":
        return raised.sqlstate
    return next((code for code, words in REFUSALS.items() if words.search(str(raised))), LOST)


KIND = DatabaseKind(
    name="postgresql",
    writer=engine,
    reader=engine,
    driver="psycopg",
    package="'rack-recipes[postgresql]'",
    aliases=("postgres",),
    code_of=_sqlstate,
    message_of=lambda raised: raised.diag.message_primary or last_argument(raised).partition("\n")[0],
    passing=frozenset(
        {
            LOST,  # no connection, or no longer
            "25P03",  # idle for too long in a transaction
            "40001",  # two transactions that cannot both be
            "40P01",  # deadlock
            "53100",  # disk full
            "53300",  # too many connections
            "55P03",  # lock wait timeout
            "57P01",  # the server is shutting down
            "57P02",  # another process of it crashed
            "57P03",  # it is starting
        }
    ),
    known_row="23505",
    advice={
        "25006": "the server is read-only",
        "28000": "check user and password",
        "28P01": "check user and password",
        "3D000": "create it first: CREATE DATABASE ... ENCODING 'UTF8'",
        "42501": "the user lacks a right on this table or schema",
        "53100": "the disk is full",
    },
    copies=True,
    migration_lock=("SELECT pg_advisory_xact_lock(hashtext('rack.recipes.upgrade'))", ""),  # until the commit
    name_type=partial(name_type, collation="C"),
)
