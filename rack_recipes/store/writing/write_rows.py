# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes many rows at once, or one judgement; writing the same rows again changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import sqlalchemy as sql

from rack_recipes.journal.step_results_and_end_status import Cell
from rack_recipes.store.database.database_kind import url_without_password
from rack_recipes.store.database.databases_and_errors import (
    DATABASES,
    TooBigError,
    call_patiently,
    may_be_too_big,
    translate_errors,
)
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.record_to_rows import Row, judgement_columns

# Rows of these tables never change. So an existing row is not updated, which saves SQLite 8 %.
FIXED = frozenset({"context", "conflicts"})
KEPT = frozenset({"pinned"})  # columns that the store itself sets, and no journal
FEW = 50  # up to so many rows a temporary table is not worth it


class Statements(NamedTuple):
    """The SQL to write rows: `insert` is executed with all rows, `before` and `after` once."""

    insert: str
    before: str = ""
    after: str = ""


def write_rows(connection: sql.Connection, table: sql.Table, rows: Sequence[Row], *, are_new: bool = False) -> None:
    """Write all rows. A row that exists already is updated, except in tables whose rows never change.

    `are_new` says that none of the rows should exist yet, which some databases can use to be faster. They then refuse
    all rows if one exists after all (`database_errors.met_known_row`).
    """
    if not rows:
        return
    statements = _statements(connection.dialect, table, len(rows), are_new=are_new)
    if statements.before:
        connection.exec_driver_sql(statements.before)
    # SQLite writes twice as many rows with text and tuples as with a Core insert.
    connection.exec_driver_sql(statements.insert, list(rows))
    if statements.after:
        connection.exec_driver_sql(statements.after)


def _statements(dialect: sql.Dialect, table: sql.Table, rows: int, *, are_new: bool) -> Statements:
    if not DATABASES[dialect.name].copies:
        return Statements(upsert(dialect, table))
    if are_new:
        return Statements(_copy(dialect, table, table.name))
    return Statements(upsert(dialect, table)) if rows <= FEW else _staged(dialect, table)


@lru_cache(maxsize=64)
def upsert(dialect: sql.Dialect, table: sql.Table) -> str:
    """The SQL that inserts a row, or updates an existing one. Values are in the order of the table's columns.

    It is kept: to make it anew took a fifth of the CPU time of storing a small run.
    """
    return str(_upsert(dialect, table).compile(dialect=dialect))


def _upsert(dialect: sql.Dialect, table: sql.Table, source: object = None) -> Any:
    key = [column.name for column in table.primary_key]
    changing = (
        [] if table.name in FIXED else [column.name for column in table.columns if column.name not in {*key, *KEPT}]
    )
    insert = import_module(f"sqlalchemy.dialects.{dialect.name}").insert  # each dialect costs 20 ms to import
    inserted = insert(table) if source is None else insert(table).from_select(list(table.columns), source)
    return DATABASES[dialect.name].upsert(inserted, key, changing)


def _copy(dialect: sql.Dialect, table: sql.Table, target: str) -> str:
    names = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns)
    return f"COPY {target} ({names}) FROM STDIN"


def _staged(dialect: sql.Dialect, table: sql.Table) -> Statements:
    """COPY cannot update. So copy into a temporary table first, and insert or update from there."""
    staged = f"staged_{table.name}"
    source: Any = sql.select(*(sql.column(column.name) for column in table.columns)).select_from(sql.text(staged))
    return Statements(
        _copy(dialect, table, staged),
        before=f"CREATE TEMPORARY TABLE {staged} (LIKE {table.name}) ON COMMIT DROP",
        after=str(_upsert(dialect, table, source).compile(dialect=dialect)),
    )


def forget_measurements(connection: sql.Connection, run_id: str, cells: Iterable[Cell]) -> None:
    """Delete the measurements of these results: a step that is recorded again may have fewer of them."""
    table = tables().measurements
    for step, host in sorted(cells):
        connection.execute(
            sql.delete(table).where(table.c.run_id == run_id, table.c.host == host, table.c.step == step)
        )


def refuse_too_big(
    engine: sql.Engine, error: sql.exc.DBAPIError, batch: Iterable[tuple[sql.Table, Sequence[Row]]]
) -> None:
    """Raise TooBigError if a single row is too long for the server. PyMySQL splits statements with many rows itself."""
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
                        f"{url_without_password(engine.url)}: {_start(row)}... takes {length} bytes, "
                        f"the server at most {limit}: "
                        "raise its max_allowed_packet"
                    ) from None


def _start(row: Row) -> str:
    """The first columns, which are enough to recognise the row."""
    return ", ".join(str(value) for value in row[:5])


PATIENCE = 30.0  # seconds for which a write is tried again after a passing fault


def add_judgement(engine: sql.Engine, run_id: str, judgement: Mapping[str, object]) -> int:
    """Add a row of the table `judgements`; returns its number within the run. Raises StoreError."""
    with translate_errors(engine.url):
        return call_patiently(lambda: _add(engine, run_id, judgement), PATIENCE)


def _add(engine: sql.Engine, run_id: str, judgement: Mapping[str, object]) -> int:
    table = tables().judgements
    with engine.begin() as connection:
        last = connection.scalar(sql.select(sql.func.max(table.c.n)).where(table.c.run_id == run_id))
        number = (last or 0) + 1
        connection.execute(table.insert().values(run_id=run_id, n=number, **judgement_columns(judgement)))
    return number
