# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read results back from the store, as plain lists of dicts; JSON is decoded."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database.database_errors import translated
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database.read_only_connection import reading
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.step_columns import STEP_COLUMNS, Kind
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import tables
from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.record_to_rows import OUTPUTS

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select, Table
    from sqlalchemy.sql import ColumnElement

Result = dict[str, Any]
Decoders = Mapping[str, Callable[[Any], Any]]


def runs(engine: Engine) -> list[Result]:
    """All runs, the newest first; what is JSON in the store is decoded, an empty dict or list where it is missing."""
    return read(engine, sql.select(tables().runs).order_by(*newest_first()), RUN)


def run(engine: Engine, run_id: str) -> Result:
    """One run. Raises UsageError where the store has none of this id."""
    found = read(engine, _of(tables().runs, run_id), RUN)
    if not found:
        raise UsageError(f"there is no run {run_id!r} in the store")
    return found[0]


def flakes(engine: Engine, run_ids: Collection[str]) -> dict[str, int]:
    """How many steps of each run passed only when they were tried again; runs without any are left out."""
    table = tables().steps
    counted = sql.func.count().label("flakes")
    query = sql.select(table.c.run_id, counted).where(
        table.c.run_id.in_(run_ids), table.c.flake.is_(True), table.c.instances.is_(None)
    )
    return {row["run_id"]: row["flakes"] for row in read(engine, query.group_by(table.c.run_id), {})}


def newest(engine: Engine) -> str | None:
    """The id of the run that started last; None in an empty store."""
    found = read(engine, sql.select(tables().runs.c.run_id).order_by(*newest_first()).limit(1), {})
    return found[0]["run_id"] if found else None


def find(engine: Engine, start: str) -> str:
    """The id that is `start`, or the only one that begins with it. Raises UsageError for none and for several."""
    column = tables().runs.c.run_id
    query = sql.select(column).where(sql.func.substr(column, 1, len(start)) == start).order_by(*newest_first())
    ids = [row["run_id"] for row in read(engine, query, {})]
    if start in ids:
        return start
    if len(ids) != 1:
        several = f"{len(ids)} runs begin with {start!r}: {', '.join(ids[:5])}"
        raise UsageError(several if ids else f"there is no run {start!r} in the store")
    return str(ids[0])


def steps(engine: Engine, run_id: str) -> list[Result]:
    """How each step of a run ended on each host, in the order of the recipe; `attempts` as in the journal.

    Instances of a looped step stand beside it and name it as their `parent`.
    """
    table = tables().steps
    return with_output(read(engine, _of(table, run_id).order_by(table.c.idx, table.c.step, table.c.host), STEP))


def with_output(rows: list[Result]) -> list[Result]:
    """Rows of `steps`, decoded by `STEP`, with the output of each last attempt back in it."""
    for row in rows:
        for attempt in row["attempts"][-1:]:
            attempt |= {output: row[output] for output in OUTPUTS if row[output] is not None}
    return rows


def context(engine: Engine, run_id: str) -> list[Result]:
    """The newest value of each key of each host, and of the run (host ""); `value` is decoded."""
    table = tables().context
    place = (table.c.key, table.c.host)
    newest = sql.select(sql.func.max(table.c.seq)).where(table.c.run_id == run_id).group_by(*place)
    columns = [column for column in table.c if column.name not in {"before", "after"}]
    query = sql.select(*columns, table.c.after.label("value")).where(table.c.run_id == run_id, table.c.seq.in_(newest))
    return read(engine, query.order_by(*place), {"value": json.loads})


def history(engine: Engine, run_id: str, key: str | None = None, host: str | None = None) -> list[Result]:
    """Every change of a run in its order, or only those of a key, or of a host (the run's own: ""), or of both.

    `before` and `after` are decoded; a first value, of version 1, has None before it.
    """
    table = tables().context
    query = _of(table, run_id)
    if key is not None:
        query = query.where(table.c.key == key)
    if host is not None:
        query = query.where(table.c.host == host)
    return read(engine, query.order_by(table.c.seq), {"before": decoded, "after": decoded})


def conflicts(engine: Engine, run_id: str) -> list[Result]:
    """The writes that met others, by their number, values decoded.

    `outcome` is `kept`, `refused` or `merged`, by the `policy`; `other` is the value that stands neither in `before`
    nor in `after`; `fields` are those that both writes had changed, of which the later one was taken.
    """
    table = tables().conflicts
    return read(engine, _of(table, run_id).order_by(table.c.seq), CONFLICT)


def hosts(engine: Engine, run_id: str) -> list[str]:
    """The hosts that a run has results or keys of, sorted."""
    both = tables().steps, tables().context
    queries = [sql.select(table.c.host).where(table.c.run_id == run_id).distinct() for table in both]
    found = {row["host"] for query in queries for row in read(engine, query, {})}
    return sorted(found - {""})


def origins(engine: Engine, run_id: str) -> dict[int, str]:
    """Which host made a change of a key of the run that met another one, by its number; not of those refused."""
    changes, met = tables().context, tables().conflicts
    of_conflicts = sql.select(met.c.seq).where(met.c.run_id == run_id)
    query = sql.select(changes.c.seq, changes.c.origin).where(
        changes.c.run_id == run_id, changes.c.seq.in_(of_conflicts), changes.c.origin.is_not(None)
    )
    return {row["seq"]: row["origin"] for row in read(engine, query, {})}


def measurements(engine: Engine, run_id: str) -> list[Result]:
    """What the steps of a run measured; `value` is as it was measured, integers exact.

    `limits`, `distance` and `verdict` are those of a criterion, None for what was only measured.
    """
    table = tables().measurements
    exact = [column for column in table.c if column.name not in {"value", "text"}]
    query = sql.select(*exact, table.c.text.label("value")).where(table.c.run_id == run_id)
    return read(engine, query.order_by(table.c.step, table.c.host, table.c.n), MEASURED)


def artifacts(engine: Engine, run_id: str) -> list[Result]:
    """The files that the steps of a run left with it, by step, host and the order in which they were attached.

    `path` is relative to the run's folder, None where the bytes did not arrive; `note` says why. `masked` tells whether
    secrets were taken out, None where the run had none.
    """
    table = tables().artifacts
    return read(engine, _of(table, run_id).order_by(table.c.step, table.c.host, table.c.n), {})


def newest_first() -> tuple[ColumnElement[Any], ...]:
    """The order of runs by their start."""
    table = tables().runs
    return table.c.started.desc(), table.c.run_id.desc()


def _of(table: Table, run_id: str) -> Select[Any]:
    return sql.select(table).where(table.c.run_id == run_id)


def read(engine: Engine, query: Select[Any], decoders: Decoders) -> list[Result]:
    """The rows of a query, decoded; raises StoreError."""
    with translated(engine.url), reading(engine) as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row |= {column: decode(row[column]) for column, decode in decoders.items()}
    return rows


def decoded(text: str | None) -> Any:
    """JSON text as a value; None where there is none."""
    return None if text is None else json.loads(text)


def _object(text: str | None) -> dict[str, Any]:
    return decoded(text) or {}


def _list(text: str | None) -> list[Any]:
    return decoded(text) or []


def _count(number: int | None) -> int:
    return number or 0


# How to decode the columns whose values in the store are not the values that they stand for.
RUN: Decoders = {
    "counts": _object,
    "versions": _object,
    "params": _object,
    "labels": _object,
    "refs": _list,
    "options": _object,
    "checks": _count,
    "pinned": bool,
}
KINDS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.COUNT: _count,
    Kind.FLAG: bool,
    Kind.OBJECT: _object,
    Kind.LIST: _list,
    Kind.ATTEMPTS: json.loads,
}
STEP: Decoders = {column.name: KINDS[column.kind] for column in STEP_COLUMNS if column.kind in KINDS}
CONFLICT: Decoders = {"before": decoded, "after": decoded, "other": decoded, "fields": decoded}
MEASURED: Decoders = {"value": json.loads, "limits": decoded}
