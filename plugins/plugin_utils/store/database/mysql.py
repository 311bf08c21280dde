# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MySQL and MariaDB, through PyMySQL: in strict mode, and with statements that are short enough for the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

DEFAULTS = {
    "charset": "utf8mb4",
    "connect_timeout": "10",
    "read_timeout": "60",  # also for a server that accepts the connection and does not answer
    "write_timeout": "60",
    "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",  # otherwise wrong data is cut silently
}
STATEMENT_MARGIN = 64  # bytes that a packet needs beside the statement


def engine(url: URL) -> Engine:
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


def _limit_statements(connection: Connection, cursor: Any, *call: Any) -> None:
    """Limit the length of a statement: PyMySQL would put more rows into one than the server allows."""
    limit = connection.info["max_allowed_packet"] - STATEMENT_MARGIN
    cursor.max_stmt_length = min(type(cursor).max_stmt_length, limit)
