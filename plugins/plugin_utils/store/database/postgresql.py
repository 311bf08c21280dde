# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL, through psycopg: all waits have a limit, and COPY can be executed like any other statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

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


def engine(url: URL) -> Engine:
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


def _copy(cursor: Any, statement: str, rows: Iterable[tuple[Any, ...]], context: object) -> bool:
    """Write the rows of a COPY, which psycopg executes in this way only; returns whether the statement was one."""
    if not statement.startswith(COPY):
        return False
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
    return True


def _copy_one(cursor: Any, statement: str, row: tuple[Any, ...], context: object) -> bool:
    return _copy(cursor, statement, [row], context)
