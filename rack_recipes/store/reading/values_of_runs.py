# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read values and verdicts of whole runs as bare rows: two million of them in seconds. All functions raise StoreError.

The place of a value (host, step, name, unit) is one text, which the database puts together. For Python, four texts a
row cost more than all else here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.database_errors import translated
from rack_recipes.store.database.read_only_connection import reading
from rack_recipes.store.reading.recorded_runs import AT_ONCE, is_whole, keys_of, newest_first
from rack_recipes.store.reading.result_history import was_tried
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select
    from sqlalchemy.sql import ColumnElement

SEPARATOR = "\x1f"  # the ASCII character for this


def measured(
    engine: Engine, run_id: str, names: Collection[str] = (), steps: Collection[str] = ()
) -> Sequence[tuple[str, float | None]]:
    """The place and the value of each measurement of a run; those of one step on one host in their order.

    Where only one of `names` is wanted, or one of `steps`, there are only those of this one.

    The place is host, step, name and unit, with `SEPARATOR` between them. The value is None for what is no number.
    """
    table = tables().measurements
    place = _joined(table.c.host, table.c.step, table.c.name, sql.func.coalesce(table.c.unit, ""))
    query = sql.select(place, table.c.value).where(table.c.run_id == run_id)
    for column, wanted in ((table.c.name, names), (table.c.step, steps)):
        query = query.where(column.in_(wanted)) if len(wanted) == 1 else query
    return bare(engine, query.order_by(table.c.host, table.c.step, table.c.n))


def changes_of_keys(engine: Engine, run_id: str, keys: Collection[str]) -> Sequence[tuple[str, str, str]]:
    """Host ("" is the run), key and new value (JSON) of each change of some keys in a run, in their order."""
    table = tables().context
    columns = (table.c.seq, table.c.host, table.c.key, table.c.after)
    found = [
        row
        for part in batched(sorted(keys), AT_ONCE)
        for row in bare(engine, sql.select(*columns).where(table.c.run_id == run_id, table.c.key.in_(part)))
    ]
    return [(host, key, after) for _seq, host, key, after in sorted(found)]


def verdicts(engine: Engine, run_id: str, hosts: Collection[str]) -> Sequence[tuple[str, str, str]]:
    """Step, host and verdict of each result of a run on some hosts, where "" is the run; on all if these are many.

    What the end of the run has cut off is left out.
    """
    table = tables().steps
    query = sql.select(table.c.step, table.c.host, table.c.verdict).where(table.c.run_id == run_id, was_tried())
    return bare(engine, query.where(table.c.host.in_(sorted(hosts))) if len(hosts) <= AT_ONCE else query)


def newest_with(engine: Engine, name: str) -> str | None:
    """The id of the newest run with a measurement of this name, or with a key that is or begins this path."""
    known = tables()
    with_name = sql.select(known.measurements.c.run_id).where(known.measurements.c.name == name)
    with_key = sql.select(known.context.c.run_id).where(known.context.c.key.in_(keys_of(name)))
    either = known.runs.c.run_id.in_(with_name) | known.runs.c.run_id.in_(with_key)
    found = bare(engine, sql.select(known.runs.c.run_id).where(either, is_whole()).order_by(*newest_first()).limit(1))
    return found[0][0] if found else None


def _joined(*columns: ColumnElement[Any]) -> ColumnElement[Any]:
    joined, *others = columns
    for column in others:
        joined = joined + SEPARATOR + column
    return joined


def bare(engine: Engine, query: Select[Any]) -> Sequence[Any]:
    """The rows as the driver returns them: SQLAlchemy's own would take as long again. So are its errors."""
    with translated(engine.url), reading(engine) as connection:
        cursor = connection.execute(query).cursor
        try:
            found: Sequence[Any] = cursor.fetchall()
        except engine.dialect.loaded_dbapi.Error as error:
            raise sql.exc.DBAPIError(None, None, error) from error
        return found
