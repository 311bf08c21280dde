# SPDX-License-Identifier: GPL-3.0-or-later

"""MySQL and MariaDB, through PyMySQL: in strict mode, and with statements that are short enough for the server."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql

from rack_recipes.store.database.database_kind import NAME_LENGTH, DatabaseKind

DEFAULTS = {
    "charset": "utf8mb4",
    "connect_timeout": "10",
    "read_timeout": "60",  # also for a server that accepts the connection and does not answer
    "write_timeout": "60",
    "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",  # otherwise wrong data is cut silently
}
STATEMENT_MARGIN = 64  # bytes that a packet needs beside the statement


def engine(url: sql.URL) -> sql.Engine:
    """An engine for an existing database. Options in the URL win over `DEFAULTS`."""
    defaults = {name: value for name, value in DEFAULTS.items() if name not in url.query}
    opened = sql.create_engine(
        url.update_query_dict(defaults),
        hide_parameters=True,
        pool_pre_ping=True,
        paramstyle="format",  # rows are tuples
        isolation_level="READ COMMITTED",  # the default locks gaps between rows, which causes deadlocks
    )
    sql.event.listen(opened, "connect", _read_packet_limit)
    sql.event.listen(opened, "before_cursor_execute", _limit_statements)
    return opened


def _read_packet_limit(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        record.info["max_allowed_packet"] = cursor.fetchone()[0]


def _limit_statements(connection: sql.Connection, cursor: Any, *call: Any) -> None:
    """Limit the length of a statement: PyMySQL would put more rows into one than the server allows."""
    limit = connection.info["max_allowed_packet"] - STATEMENT_MARGIN
    cursor.max_stmt_length = min(type(cursor).max_stmt_length, limit)


def _on_duplicate_key(inserted: Any, key: list[str], changing: list[str]) -> Any:
    """Update an existing row. To leave it as it is, set its key to itself: INSERT IGNORE would hide wrong data too."""
    return inserted.on_duplicate_key_update({c: inserted.inserted[c] for c in changing or key[:1]})


def _text_type(dialect: sql.Dialect) -> sql.types.TypeEngine[Any]:
    """LONGTEXT, since TEXT ends at 64 KB and JSON is reordered."""
    from sqlalchemy.dialects.mysql import LONGTEXT  # each dialect takes 20 ms to import

    return dialect.type_descriptor(LONGTEXT())


def _name_type(dialect: sql.Dialect) -> sql.types.TypeEngine[Any]:
    """The collations that compare bytes, also trailing spaces; otherwise `ABC` and `abc ` would be equal."""
    from sqlalchemy.dialects.mysql import VARCHAR

    is_mariadb = getattr(dialect, "is_mariadb", False)
    collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
    return dialect.type_descriptor(VARCHAR(NAME_LENGTH, charset="utf8mb4", collation=collation))


KIND = DatabaseKind(
    name="mysql",
    writer=engine,
    reader=engine,
    driver="pymysql",
    aliases=("mariadb", "mariadb+pymysql"),
    code_of=lambda raised: next(iter(raised.args), 0),
    passing=frozenset(
        {
            1021,  # disk full
            1040,  # too many connections
            1053,  # the server is shutting down
            1114,  # table full
            1205,  # lock wait timeout
            1213,  # deadlock
            2003,  # no server
            2006,  # the server has gone away
            2013,  # connection lost
        }
    ),
    too_big=frozenset({1153, 2006, 2013}),  # it often just closes the connection
    advice={
        1044: "the user has no right to this database",
        1045: "check user and password",
        1049: "create it first: CREATE DATABASE ... CHARACTER SET utf8mb4",
        1142: "the user lacks a right on this table",
        1290: "the server is read-only",
    },
    upsert=_on_duplicate_key,
    migration_lock=("SELECT GET_LOCK('rack.recipes.upgrade', 600)", "SELECT RELEASE_LOCK('rack.recipes.upgrade')"),
    text_type=_text_type,
    name_type=_name_type,
)
