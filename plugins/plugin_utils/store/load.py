# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read results back from the store, as plain lists of dicts; JSON is decoded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.store import schema, sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.faults import translated
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import reading
from ansible_collections.rack.recipes.plugins.plugin_utils.store.rows import OUTPUTS

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select, Table
    from sqlalchemy.sql import ColumnElement

Result = dict[str, Any]


def runs(engine: Engine) -> list[Result]:
    """All runs, the newest first; `counts` and `versions` are dicts."""
    query = sql.select(schema.tables().runs).order_by(*_newest_first())
    return _read(engine, query, {"counts": _object, "versions": _object})


def run(engine: Engine, run_id: str) -> Result:
    """One run. Raises UsageError where the store has none of this id."""
    query = _of(schema.tables().runs, run_id)
    found = _read(engine, query, {"counts": _object, "versions": _object})
    if not found:
        raise UsageError(f"there is no run {run_id!r} in the store")
    return found[0]


def newest(engine: Engine) -> str | None:
    """The id of the run that started last; None in an empty store."""
    found = _read(engine, sql.select(schema.tables().runs.c.run_id).order_by(*_newest_first()).limit(1), {})
    return found[0]["run_id"] if found else None


def find(engine: Engine, start: str) -> str:
    """The id that is `start`, or the only one that begins with it. Raises UsageError for none and for several."""
    column = schema.tables().runs.c.run_id
    query = sql.select(column).where(sql.func.substr(column, 1, len(start)) == start).order_by(*_newest_first())
    ids = [row["run_id"] for row in _read(engine, query, {})]
    if start in ids:
        return start
    if len(ids) != 1:
        several = f"{len(ids)} runs begin with {start!r}: {', '.join(ids[:5])}"
        raise UsageError(several if ids else f"there is no run {start!r} in the store")
    return str(ids[0])


def steps(engine: Engine, run_id: str) -> list[Result]:
    """How each step of a run ended on each host, in the order of the recipe; `attempts` as in the journal."""
    table = schema.tables().steps
    rows = _read(engine, _of(table, run_id).order_by(table.c.idx, table.c.step, table.c.host), {"attempts": json.loads})
    for row in rows:
        for attempt in row["attempts"][-1:]:
            attempt |= {output: row[output] for output in OUTPUTS if row[output] is not None}
    return rows


def context(engine: Engine, run_id: str) -> list[Result]:
    """The newest value of each key of each host, and of the run (host ""); `value` is decoded."""
    table = schema.tables().context
    place = (table.c.key, table.c.host)
    newest = sql.select(sql.func.max(table.c.seq)).where(table.c.run_id == run_id).group_by(*place)
    columns = [column for column in table.c if column.name not in {"before", "after"}]
    query = sql.select(*columns, table.c.after.label("value")).where(table.c.run_id == run_id, table.c.seq.in_(newest))
    return _read(engine, query.order_by(*place), {"value": json.loads})


def history(engine: Engine, run_id: str, key: str | None = None, host: str | None = None) -> list[Result]:
    """Every change of a run in its order, or only those of a key, or of a host (the run's own: ""), or of both.

    `before` and `after` are decoded; a first value, of version 1, has None before it.
    """
    table = schema.tables().context
    query = _of(table, run_id)
    if key is not None:
        query = query.where(table.c.key == key)
    if host is not None:
        query = query.where(table.c.host == host)
    changes = _read(engine, query, {"before": _value, "after": _value})
    return sorted(changes, key=itemgetter("seq"))  # to sort here lets SQLite search by key


def conflicts(engine: Engine, run_id: str) -> list[Result]:
    """The changes that met another write, both values decoded."""
    table = schema.tables().conflicts
    return _read(engine, _of(table, run_id).order_by(table.c.seq), {"before": _value, "after": _value})


def measurements(engine: Engine, run_id: str) -> list[Result]:
    """What the steps of a run measured; `value` is as it was measured, integers exact."""
    table = schema.tables().measurements
    exact = [column for column in table.c if column.name not in {"value", "text"}]
    query = sql.select(*exact, table.c.text.label("value")).where(table.c.run_id == run_id)
    return _read(engine, query.order_by(table.c.step, table.c.host, table.c.n), {"value": json.loads})


def _newest_first() -> tuple[ColumnElement[Any], ...]:
    table = schema.tables().runs
    return table.c.started.desc(), table.c.run_id.desc()


def _of(table: Table, run_id: str) -> Select[Any]:
    return sql.select(table).where(table.c.run_id == run_id)


def _read(engine: Engine, query: Select[Any], decoders: Mapping[str, Callable[[str], Any]]) -> list[Result]:
    with translated(engine.url), reading(engine) as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row |= {column: decode(row[column]) for column, decode in decoders.items()}
    return rows


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _object(text: str | None) -> dict[str, Any]:
    return _value(text) or {}
