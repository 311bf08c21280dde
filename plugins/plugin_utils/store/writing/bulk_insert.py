# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write rows in bulk, such that writing them again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database.database_errors import (
    TooBigError,
    may_be_too_big,
    shown,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import tables
from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.record_to_rows import Row

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Engine, Table
    from sqlalchemy.exc import DBAPIError

type Insert = Callable[[Table], Any]

# A row of these tables says what happened, and never changes: one that is there stays, which costs SQLite 8 % less.
FIXED = frozenset({"context", "conflicts"})
KEPT = frozenset({"pinned"})  # what is said of a row that is there, and not by its journal
COPYING = frozenset({"postgresql"})  # what takes several times as many rows by COPY as by INSERT
FEW = 50  # rows that are not worth a table to put them into first


class Statements(NamedTuple):
    """What writes rows: `insert` is executed for all of them, the others once."""

    insert: str
    before: str = ""
    after: str = ""


def write(connection: Connection, table: Table, rows: Sequence[Row], *, are_new: bool = False) -> None:
    """Write all rows; one that is there already is updated, or stays where it cannot have changed.

    Where rows `are_new` none of them should be there: a database that takes them faster then may refuse all of them
    because of one that is (`faults.met_known_row`).
    """
    if not rows:
        return
    statements = _statements(connection.dialect, table, len(rows), are_new=are_new)
    if statements.before:
        connection.exec_driver_sql(statements.before)
    # With text and tuples SQLite takes twice as many as with a Core insert.
    connection.exec_driver_sql(statements.insert, list(rows))
    if statements.after:
        connection.exec_driver_sql(statements.after)


def _statements(dialect: Dialect, table: Table, rows: int, *, are_new: bool) -> Statements:
    if dialect.name not in COPYING:
        return Statements(upsert(dialect, table))
    if are_new:
        return Statements(_copy(dialect, table, table.name))
    return Statements(upsert(dialect, table)) if rows <= FEW else _staged(dialect, table)


def upsert(dialect: Dialect, table: Table) -> str:
    """The SQL that inserts a row, its values in the order of the table's columns, or updates the one that is there."""
    return str(_upsert(dialect, table).compile(dialect=dialect))


def _upsert(dialect: Dialect, table: Table, source: Any = None) -> Any:
    key = [column.name for column in table.primary_key]
    changing = (
        [] if table.name in FIXED else [column.name for column in table.columns if column.name not in {*key, *KEPT}]
    )
    insert = import_module(f"sqlalchemy.dialects.{dialect.name}").insert  # each dialect costs 20 ms to import
    inserted = insert(table) if source is None else insert(table).from_select(list(table.columns), source)
    return UPSERTS[dialect.name](inserted, key, changing)


def _on_conflict(inserted: Any, key: list[str], changing: list[str]) -> Any:
    if not changing:
        return inserted.on_conflict_do_nothing(index_elements=key)
    return inserted.on_conflict_do_update(index_elements=key, set_={c: inserted.excluded[c] for c in changing})


def _on_duplicate_key(inserted: Any, key: list[str], changing: list[str]) -> Any:
    """MySQL has no other way to leave a row as it is: INSERT IGNORE would let wrong data pass as well."""
    return inserted.on_duplicate_key_update({c: inserted.inserted[c] for c in changing or key[:1]})


UPSERTS: Mapping[str, Callable[[Any, list[str], list[str]], Any]] = {
    "sqlite": _on_conflict,
    "postgresql": _on_conflict,
    "mysql": _on_duplicate_key,
}


def _copy(dialect: Dialect, table: Table, target: str) -> str:
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns)
    return f"COPY {target} ({names}) FROM STDIN"


def _staged(dialect: Dialect, table: Table) -> Statements:
    """COPY knows no row that is there: into a table of this transaction first, and from there what is missing."""
    staged = f"staged_{table.name}"
    source: Any = sql.select(*(sql.column(column.name) for column in table.columns)).select_from(sql.text(staged))
    return Statements(
        _copy(dialect, table, staged),
        before=f"CREATE TEMPORARY TABLE {staged} (LIKE {table.name}) ON COMMIT DROP",
        after=str(_upsert(dialect, table, source).compile(dialect=dialect)),
    )


def forget_measurements(connection: Connection, run_id: str, steps: Iterable[tuple[str, str]]) -> None:
    """Delete what (host, step) pairs measured: a step that is recorded again may have measured less."""
    table = tables().measurements
    for host, step in sorted(steps):
        connection.execute(
            sql.delete(table).where(table.c.run_id == run_id, table.c.host == host, table.c.step == step)
        )


def refuse_too_big(engine: Engine, error: DBAPIError, batch: Iterable[tuple[Table, Sequence[Row]]]) -> None:
    """Raise TooBigError where one row alone is the cause of the error; PyMySQL splits where they are many."""
    if not may_be_too_big(error):
        return
    with engine.connect() as connection:
        limit = connection.info["max_allowed_packet"]
        cursor = connection.connection.cursor()
        for table, rows in batch:
            statement = upsert(engine.dialect, table)
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
