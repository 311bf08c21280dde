# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write rows in bulk, such that writing them again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.store import schema, sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.faults import TooBigError, may_be_too_big, shown
from ansible_collections.rack.recipes.plugins.plugin_utils.store.rows import Row

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Engine, Table
    from sqlalchemy.exc import DBAPIError

type Insert = Callable[[Table], Any]

# A row of these tables says what happened, and never changes: one that is there stays, which costs SQLite 8 % less.
FIXED = frozenset({"context", "conflicts"})


def _on_conflict(insert: Insert, table: Table, key: list[str], changing: list[str]) -> Any:
    inserted = insert(table)
    if not changing:
        return inserted.on_conflict_do_nothing(index_elements=key)
    return inserted.on_conflict_do_update(index_elements=key, set_={c: inserted.excluded[c] for c in changing})


def _on_duplicate_key(insert: Insert, table: Table, key: list[str], changing: list[str]) -> Any:
    """MySQL has no other way to leave a row as it is: INSERT IGNORE would let wrong data pass as well."""
    inserted = insert(table)
    return inserted.on_duplicate_key_update({c: inserted.inserted[c] for c in changing or key[:1]})


UPSERTS: Mapping[str, Callable[[Insert, Table, list[str], list[str]], Any]] = {
    "sqlite": _on_conflict,
    "postgresql": _on_conflict,
    "mysql": _on_duplicate_key,
}


def upsert(dialect: Dialect, table: Table) -> str:
    """The SQL that inserts a row, its values in the order of the table's columns, or updates the one that is there."""
    key = [column.name for column in table.primary_key]
    changing = [] if table.name in FIXED else [column.name for column in table.columns if column.name not in key]
    insert = import_module(f"sqlalchemy.dialects.{dialect.name}").insert  # each dialect costs 20 ms to import
    return str(UPSERTS[dialect.name](insert, table, key, changing).compile(dialect=dialect))


def write(connection: Connection, statement: str, rows: Sequence[Row]) -> None:
    """Execute the statement for all rows. With text and tuples SQLite takes twice as many as with a Core insert."""
    if rows:
        connection.exec_driver_sql(statement, list(rows))


def forget_measurements(connection: Connection, run_id: str, steps: Iterable[tuple[str, str]]) -> None:
    """Delete what (host, step) pairs measured: a step that is recorded again may have measured less."""
    table = schema.tables().measurements
    for host, step in sorted(steps):
        connection.execute(
            sql.delete(table).where(table.c.run_id == run_id, table.c.host == host, table.c.step == step)
        )


def refuse_too_big(engine: Engine, error: DBAPIError, statements: Iterable[tuple[str, Sequence[Row]]]) -> None:
    """Raise TooBigError where one row alone is the cause of the error; PyMySQL splits where they are many."""
    if not may_be_too_big(error):
        return
    with engine.connect() as connection:
        limit = connection.info["max_allowed_packet"]
        cursor = connection.connection.cursor()
        for statement, rows in statements:
            for row in rows:
                length = len(cursor.mogrify(statement, row).encode())
                if length >= limit:
                    raise TooBigError(
                        f"{shown(engine.url)}: {_start(row)}... takes {length} bytes, the server at most {limit}: "
                        "raise its max_allowed_packet"
                    ) from None


def _start(row: Row) -> str:
    """The first columns, enough to know the row."""
    return ", ".join(str(value) for value in row[:5])
