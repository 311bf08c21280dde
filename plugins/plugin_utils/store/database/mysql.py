# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MySQL and MariaDB, through PyMySQL: strict about data, and within the length of a statement that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

DEFAULTS = {
    "charset": "utf8mb4",
    "connect_timeout": "10",
    "read_timeout": "60",  # also ends the wait for a server that accepts and says nothing
    "write_timeout": "60",
    "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",  # without it data is cut and zeroed silently
}
STATEMENT_MARGIN = 64  # bytes of a packet that are not the statement's


def engine(url: URL) -> Engine:
    """An engine for a database that is there; the URL may set what `DEFAULTS` would."""
    defaults = {name: value for name, value in DEFAULTS.items() if name not in url.query}
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
