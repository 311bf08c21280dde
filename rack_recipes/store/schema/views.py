# SPDX-License-Identifier: GPL-3.0-or-later

"""Further names for what the store holds, for SQL: views, and columns that repeat another one. Nobody writes them.

They are those of the proposal from which this software came; `docs/proposal.md` compares the two. Nothing of ours reads
them. A migration that changes what they are made of drops the views before and makes them anew behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sql
from sqlalchemy.schema import CreateColumn

from rack_recipes.store.schema.tables import tables

SAME_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "runs": {"start_time": "started", "end_time": "ended", "recipe_name": "recipe", "metadata": "labels"},
    "analysis": {"summary_text": "title", "metrics": "figures"},
}
"""By table, each column that repeats another one of the table."""

VIEWS: Mapping[str, str] = {
    "context_snapshots": (
        "SELECT c.run_id, c.host, c.key, c.after AS value, c.version, c.time AS {timestamp}, c.who, c.seq "
        "FROM context c"
    ),
    "context_data": (
        "SELECT c.run_id, c.host, c.key, c.after AS value_json FROM context c JOIN (SELECT run_id, MAX(seq) AS seq "
        "FROM context GROUP BY run_id, host, {key}) n ON n.run_id = c.run_id AND n.seq = c.seq"
    ),
    "step_metrics": (
        "SELECT s.run_id, s.host, s.step AS step_name, s.verdict, s.started AS start_time, "
        "s.seconds * 1000 AS duration_ms, s.max_rss_kib * 1024 AS memory_used, s.exit_code, s.stderr AS logs "
        "FROM steps s"
    ),
}
"""By name, what each view selects; words of SQL stand in braces."""


def add_further_names(connection: sql.Connection) -> None:
    """Add the columns that are missing, and make the views anew.

    A view of MySQL has the rights of whoever reads it. PostgreSQL keeps the columns in each row, the others make them
    when they are read.
    """
    dialect, inspected = connection.dialect, sql.inspect(connection)
    for table, same in SAME_COLUMNS.items():
        columns, held = tables().metadata.tables[table].columns, {one["name"] for one in inspected.get_columns(table)}
        for name in [name for name in same if name not in held]:
            repeats = sql.Computed(same[name], persisted=dialect.name == "postgresql")
            added = sql.Table(table, sql.MetaData(), sql.Column(name, columns[same[name]].type, repeats)).columns[name]
            said = CreateColumn(added).compile(dialect=dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {said}")
    words = {word: dialect.identifier_preparer.quote_identifier(word) for word in ("key", "timestamp")}
    rights = " SQL SECURITY INVOKER" if dialect.name == "mysql" else ""
    for name, select in VIEWS.items():
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE{rights} VIEW {name} AS {select.format(**words)}")


def missing(connection: sql.Connection) -> Iterator[str]:
    """A line for each of these views and columns that the store lacks; a table that is missing has a line already."""
    inspected = sql.inspect(connection)
    there, tables = inspected.get_view_names(), inspected.get_table_names()
    yield from (f"{name}: the view is missing" for name in VIEWS if name not in there)
    for table in filter(tables.__contains__, SAME_COLUMNS):
        held = {column["name"] for column in inspected.get_columns(table)}
        yield from (f"{table}: the column {name} is missing" for name in SAME_COLUMNS[table] if name not in held)
