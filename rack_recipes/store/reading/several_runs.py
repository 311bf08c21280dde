# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads values, results and counts of several runs, or under one name. All functions raise StoreError.

The place of a value (host, step, name, unit) is one text, which the database puts together. For Python, four texts a
row cost more than all else here.
"""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import batched
from typing import Any, cast

import sqlalchemy as sql

from rack_recipes.journal.step_results_and_end_status import CUT_OFF, OF_CUT_OFF
from rack_recipes.store.database.database_kind import reading_connection
from rack_recipes.store.database.databases_and_errors import translate_errors
from rack_recipes.store.reading.reading_order import by_names
from rack_recipes.store.reading.recorded_runs import (
    AT_ONCE,
    Row,
    decoded,
    is_whole,
    keys_of,
    newest_first,
    newest_ids,
    read,
    read_in_parts,
)
from rack_recipes.store.result import Result
from rack_recipes.store.schema.tables import tables

HostStep = tuple[str, str]


def outcomes(engine: sql.Engine, run_ids: Collection[str], places: Iterable[HostStep]) -> Iterator[Result]:
    """`run_id`, `host`, `step`, `parent`, `verdict`, `inputs` and `flake` of these results; none that was reused."""
    hosts: dict[str, set[str]] = defaultdict(set)
    for host, step in places:
        hosts[step].add(host)
    table = tables().steps
    names = ("run_id", "host", "step", "parent", "verdict", "inputs", "flake")
    for step in sorted(hosts):
        query = sql.select(*(table.c[name] for name in names)).where(
            table.c.step == step, table.c.run_id.in_(run_ids), was_tried(), table.c.source_run.is_(None)
        )
        yield from cast("Iterator[Result]", read_in_parts(engine, query, table.c.host, hosts[step], {"flake": bool}))


def last_steps(engine: sql.Engine, runs: int) -> list[str]:
    """The names of all steps of the last runs, and of their instances."""
    table = tables().steps
    query = sql.select(table.c.step, table.c.parent).where(table.c.run_id.in_(newest_ids(engine, runs))).distinct()
    return sorted({name for row in bare(engine, query) for name in row if name})


def with_copies(engine: sql.Engine, run_ids: Collection[str]) -> frozenset[str]:
    """Those of some runs that may have results of earlier runs, used again. Only their steps need to be looked at."""
    table = tables().runs
    query = sql.select(table.c.run_id).where(table.c.run_id.in_(run_ids), _may_have_copies())
    return frozenset(run_id for (run_id,) in bare(engine, query))


def _may_have_copies() -> sql.ColumnElement[bool]:
    """Whether a run went on from another, has parts, has not ended, or counts results of a cache."""
    table = tables().runs
    resumes, counts = (sql.func.coalesce(column, "") for column in (table.c.resumes, table.c.counts))
    has_parts_or_goes_on = table.c.group_id.is_not(None) | table.c.ended.is_(None)
    return (resumes != "") | counts.contains('"cached"') | has_parts_or_goes_on


def is_copy(table: sql.Table) -> sql.ColumnElement[bool]:
    """Whether a measurement, or a change of the context, belongs to a result of an earlier run that was used again.

    Its value is no new one: whoever counts values or runs leaves it out.
    """
    step = tables().steps.alias()
    host = table.c.host if table is tables().measurements else sql.func.coalesce(table.c.origin, table.c.host)
    of_it = (step.c.run_id == table.c.run_id) & (step.c.host == host) & (step.c.step == table.c.step)
    return sql.exists().where(of_it, step.c.source_run.is_not(None))


def copied_results(engine: sql.Engine, run_id: str) -> frozenset[HostStep]:
    """The host and the step of each result of a run that was used again."""
    table = tables().steps
    query = sql.select(table.c.host, table.c.step).where(table.c.run_id == run_id, table.c.source_run.is_not(None))
    return frozenset((host, step) for host, step in bare(engine, query))


def copied_keys(engine: sql.Engine, run_id: str) -> frozenset[tuple[str, str, str]]:
    """Host ("" is the run), key and step of the changes of the context that belong to such results."""
    table = tables().context
    query = sql.select(table.c.host, table.c.key, table.c.step).where(table.c.run_id == run_id, is_copy(table))
    return frozenset((host, key, step) for host, key, step in bare(engine, query))


def results_on(engine: sql.Engine, run_ids: Collection[str], hosts: Collection[str]) -> Iterator[Result]:
    """`run_id`, `host`, `step`, `parent` and `verdict` of all results of these hosts in these runs."""
    table = tables().steps
    columns = (table.c.run_id, table.c.host, table.c.step, table.c.parent, table.c.verdict)
    for run_id in sorted(run_ids):
        query = sql.select(*columns).where(table.c.run_id == run_id, was_tried())
        yield from cast("Iterator[Result]", read_in_parts(engine, query, table.c.host, hosts))


def was_tried() -> sql.ColumnElement[bool]:
    """Whether a row of `steps` says something: not so where the end of an interrupted run has cut the step off."""
    table = tables().steps
    reason = sql.func.coalesce(table.c.reason, "")
    beginnings = [reason.startswith(start) for start in CUT_OFF]
    return table.c.verdict.not_in(OF_CUT_OFF) | ~functools.reduce(operator.or_, beginnings)


def failed_again(
    engine: sql.Engine, run_ids: Collection[str], verdicts: Collection[str], least: int
) -> Sequence[HostStep]:
    """The results that have one of these verdicts, or needed a retry, in at least `least` of these runs."""
    table = tables().steps
    is_bad = (table.c.verdict.in_(sorted(verdicts)) | table.c.flake.is_(True)) & was_tried()
    is_bad &= table.c.source_run.is_(None)
    query = sql.select(table.c.host, table.c.step).where(table.c.run_id.in_(run_ids), is_bad)
    by_place = query.where(table.c.instances.is_(None), table.c.inputs.is_not(None)).group_by(
        table.c.host, table.c.step
    )
    return [(host, step) for host, step in bare(engine, by_place.having(sql.func.count() >= least))]


SEPARATOR = "\x1f"  # the ASCII character for this


def measured(
    engine: sql.Engine, run_id: str, names: Collection[str] = (), steps: Collection[str] = (), *, only_new: bool = False
) -> Sequence[tuple[str, float | None]]:
    """The place and the value of each measurement of a run; those of one step on one host in their order.

    Where only one of `names` is wanted, or one of `steps`, there are only those of this one. `only_new` leaves out the
    copies (`is_copy`).

    The place is host, step, name and unit, with `SEPARATOR` between them. The value is None for what is no number.
    """
    table = tables().measurements
    place = _joined(table.c.host, table.c.step, table.c.name, sql.func.coalesce(table.c.unit, ""))
    query = sql.select(place, table.c.value).where(table.c.run_id == run_id)
    for column, wanted in ((table.c.name, names), (table.c.step, steps)):
        query = query.where(column.in_(wanted)) if len(wanted) == 1 else query
    query = query.where(~is_copy(table)) if only_new else query
    return bare(engine, query.order_by(table.c.host, table.c.step, table.c.n))


def changes_of_keys(
    engine: sql.Engine, run_id: str, keys: Collection[str], *, only_new: bool = False
) -> Sequence[tuple[str, str, str]]:
    """Host ("" is the run), key and new value (JSON) of each change of some keys in a run, in their order.

    `only_new` leaves out the copies (`is_copy`).
    """
    table = tables().context
    query = sql.select(table.c.seq, table.c.host, table.c.key, table.c.after).where(table.c.run_id == run_id)
    query = query.where(~is_copy(table)) if only_new else query
    found = [row for part in batched(sorted(keys), AT_ONCE) for row in bare(engine, query.where(table.c.key.in_(part)))]
    return [(host, key, after) for _seq, host, key, after in sorted(found)]


def verdicts_and_inputs(
    engine: sql.Engine, run_id: str, hosts: Collection[str]
) -> Sequence[tuple[str, str, str, str | None]]:
    """Step, host, verdict and digest of the inputs of each result of a run on some hosts; on all if these are many.

    The host "" is the run.

    What the end of the run has cut off is left out.
    """
    table = tables().steps
    query = sql.select(table.c.step, table.c.host, table.c.verdict, table.c.inputs)
    query = query.where(table.c.run_id == run_id, was_tried())
    return bare(engine, query.where(table.c.host.in_(sorted(hosts))) if len(hosts) <= AT_ONCE else query)


def newest_with(engine: sql.Engine, name: str) -> str | None:
    """The id of the newest run with a measurement of this name, or with a key that is or begins this path; no copy."""
    newest = _newest_with(engine, name, only_new=False)
    return _newest_with(engine, name, only_new=True) if newest and with_copies(engine, [newest]) else newest


def _newest_with(engine: sql.Engine, name: str, *, only_new: bool) -> str | None:
    known = tables()
    of_name, of_key = known.measurements.c.name == name, known.context.c.key.in_(keys_of(name))
    found_in = (
        sql.select(table.c.run_id).where(wanted, *((~is_copy(table),) if only_new else ()))
        for table, wanted in ((known.measurements, of_name), (known.context, of_key))
    )
    either = sql.or_(*(known.runs.c.run_id.in_(own) for own in found_in))
    found = bare(engine, sql.select(known.runs.c.run_id).where(either, is_whole()).order_by(*newest_first()).limit(1))
    return found[0][0] if found else None


def _joined(*columns: sql.ColumnElement[Any]) -> sql.ColumnElement[Any]:
    joined, *others = columns
    for column in others:
        joined = joined + SEPARATOR + column
    return joined


def bare(engine: sql.Engine, query: sql.Executable) -> Sequence[Any]:
    """The rows as the driver returns them: SQLAlchemy's own would take as long again. So are its errors."""
    with translate_errors(engine.url), reading_connection(engine) as connection:
        cursor = connection.execute(query).cursor
        try:
            found: Sequence[Any] = cursor.fetchall()
        except engine.dialect.loaded_dbapi.Error as error:
            raise sql.exc.DBAPIError(None, None, error) from error
        return found


Counted = tuple[str, str, str, int, int]
"""Planned step, host, verdict, the number of results, and the number of criteria that were judged in them."""


def results_by_verdict(engine: sql.Engine, run_ids: Collection[str]) -> Iterator[Counted]:
    """How many results each planned step has on each host by verdict, and how many criteria were judged in them.

    The instances of a looped step count for the step.
    """
    table = tables().steps
    planned = sql.func.coalesce(table.c.parent, table.c.step)
    by = (planned, table.c.host, table.c.verdict)
    counted = (sql.func.count(), sql.func.sum(table.c.checks))
    for some in batched(run_ids, AT_ONCE):
        query = sql.select(*by, *counted).where(table.c.run_id.in_(some), table.c.instances.is_(None))
        for step, host, verdict, results, checks in bare(engine, query.group_by(*by)):
            yield step, host, verdict, results, int(checks or 0)  # some databases give a sum as a decimal number


def measurements_by_name(engine: sql.Engine, run_ids: Collection[str]) -> Iterator[Row]:
    """How many values each step has measured under each name and unit, and how many of them had a criterion."""
    table = tables().measurements
    by = (table.c.step, table.c.name, table.c.unit)
    counted = (sql.func.count().label("number"), sql.func.count(table.c.verdict).label("judged"))
    yield from read_in_parts(engine, sql.select(*by, *counted).group_by(*by), table.c.run_id, run_ids)


def units_of(engine: sql.Engine, run_ids: Collection[str], names: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Run, step, name and unit of what was measured under some names, each once."""
    table = tables().measurements
    columns = (table.c.run_id, table.c.step, table.c.name, sql.func.coalesce(table.c.unit, ""))
    for some in batched(sorted(names), AT_ONCE):
        query = sql.select(*columns).where(table.c.run_id.in_(run_ids), table.c.name.in_(some)).distinct()
        yield from bare(engine, query)


def measurements_of_name(engine: sql.Engine, run_id: str, name: str) -> list[dict[str, Any]]:
    """The measurements of a run that have this name, by step and host; `value` is exactly what was measured."""
    table = tables().measurements
    columns = [table.c[column] for column in ("run_id", "host", "step", "name", "unit", "verdict")]
    query = sql.select(*columns, table.c.text.label("value")).where(table.c.run_id == run_id, table.c.name == name)
    return by_names(read(engine, query.order_by(table.c.n), {"value": decoded}), "step", "host")
