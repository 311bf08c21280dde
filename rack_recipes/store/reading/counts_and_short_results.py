# SPDX-License-Identifier: GPL-3.0-or-later

"""What a first look at a run needs, without its 100,000 results: verdicts by host, and what did not pass.

And a first look at hosts, keys and measurements over the runs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from rack_recipes.store.reading.recorded_runs import (
    KINDS,
    RUN,
    STEP,
    Row,
    is_whole,
    newest_first,
    read,
    read_results,
    unused_columns,
    with_output,
)
from rack_recipes.store.result import Result
from rack_recipes.store.schema.tables import STEP_COLUMNS, tables

SHORT = ("host", "step", "stage", "idx", "verdict", "reason", "seconds", "started", "tries", "instances", "parent",
         "flake", "source_run", "through")  # fmt: skip
"""Columns of a result that are small: neither output nor attempts."""

_KINDS = {column.name: column.kind for column in STEP_COLUMNS}
DECODERS = {name: KINDS[_KINDS[name]] for name in SHORT if _KINDS[name] in KINDS}


def count_results(engine: sql.Engine, run_ids: Collection[str], *by: str, host: str | None = None) -> list[Row]:
    """How many `results` some runs have by columns of `steps`, on one host or on all ("" is the run).

    A looped step counts by its instances.
    """
    table = tables().steps
    columns = [table.c[name] for name in by]
    query = sql.select(*columns, sql.func.count().label("results"))
    query = query.where(table.c.run_id.in_(run_ids), table.c.instances.is_(None)).group_by(*columns).order_by(*columns)
    return read(engine, query if host is None else query.where(table.c.host == host), {})


def not_passed(engine: sql.Engine, run_id: str) -> list[Result]:
    """The results that were tried and did not pass, without their output."""
    table = tables().steps
    query = sql.select(*(table.c[name] for name in SHORT)).where(
        table.c.run_id == run_id, table.c.verdict.not_in(sorted(PASSING | NOT_TRIED)), table.c.instances.is_(None)
    )
    return read_results(engine, query, DECODERS)


def short_results(
    engine: sql.Engine, run_id: str, host: str | None = None, columns: Sequence[str] = SHORT
) -> list[Result]:
    """All results of a run, or those of one host of it, without their output.

    Those of all hosts come without the columns that the run does not use.
    """
    table = tables().steps
    unused = unused_columns(engine, run_id) if host is None else set()
    names = [name for name in columns if name not in unused]
    query = sql.select(*(table.c[name] for name in names)).where(table.c.run_id == run_id)
    decoders = {name: decode for name, decode in DECODERS.items() if name in names}
    return read_results(engine, query if host is None else query.where(table.c.host == host), decoders)


def result(engine: sql.Engine, run_id: str, host: str, step: str) -> Result | None:
    """One result with its attempts and their output; None where there is none."""
    table = tables().steps
    query = sql.select(table).where(table.c.run_id == run_id, table.c.host == host, table.c.step == step)
    found = with_output(read_results(engine, query, STEP))
    return found[0] if found else None


def past_results(engine: sql.Engine, host: str, step: str, most: int) -> list[Result]:
    """The results of one step on one host in all runs, the newest first, without their output."""
    table = tables().steps
    query = sql.select(table.c.run_id, *(table.c[name] for name in SHORT))
    query = query.where(table.c.host == host, table.c.step == step).order_by(table.c.started.desc()).limit(most)
    return read_results(engine, query, DECODERS)


def runs_with_host(engine: sql.Engine, host: str) -> set[str]:
    """The ids of the runs with results on a host."""
    table = tables().steps
    query = sql.select(table.c.run_id).where(table.c.host == host).distinct()
    return {row["run_id"] for row in read(engine, query, {})}


def keys_of_runs(engine: sql.Engine, run_ids: Collection[str]) -> list[Row]:
    """The `key`s that these runs have set: how many `hosts` (the run counts as one), `changes`, and the last `time`."""
    table = tables().context
    counted = (
        sql.func.count(table.c.host.distinct()).label("hosts"),
        sql.func.count().label("changes"),
        sql.func.max(table.c.time).label("time"),
    )
    query = sql.select(table.c.key, *counted).where(table.c.run_id.in_(run_ids)).group_by(table.c.key)
    return read(engine, query.order_by(table.c.key), {})


def runs_with_key(engine: sql.Engine, key: str, most: int) -> list[str]:
    """The ids of the newest runs that have set a key, the newest first."""
    known = tables()
    with_key = sql.select(known.context.c.run_id).where(known.context.c.key == key)
    query = sql.select(known.runs.c.run_id).where(known.runs.c.run_id.in_(with_key)).order_by(*newest_first())
    return [row["run_id"] for row in read(engine, query.limit(most), {})]


def measured_names(engine: sql.Engine, run_ids: Collection[str]) -> list[Row]:
    """`step`, `name` and `unit` of what these runs have measured, and how many `values` there are."""
    table = tables().measurements
    by: tuple[Any, ...] = (table.c.step, table.c.name, table.c.unit)
    query = sql.select(*by, sql.func.count().label("values")).where(table.c.run_id.in_(run_ids)).group_by(*by)
    return read(engine, query.order_by(*by), {})


def ended_or_not(engine: sql.Engine) -> list[Row]:
    """`run_id`, `test_id`, `status`, `started`, `ended`, `hosts` and `counts` of all runs, the newest first."""
    columns = tables().runs.c
    names = ("run_id", "test_id", "status", "started", "ended", "hosts", "counts")
    query = sql.select(*(columns[name] for name in names)).where(is_whole()).order_by(*newest_first())
    return read(engine, query, {"counts": RUN["counts"]})


def failing_hosts(engine: sql.Engine, run_ids: Collection[str]) -> dict[str, int]:
    """By run how many of its hosts have a result that was tried and did not pass; runs without such are left out."""
    table = tables().steps
    counted = sql.func.count(table.c.host.distinct()).label("hosts")
    query = sql.select(table.c.run_id, counted).where(
        table.c.run_id.in_(run_ids), table.c.verdict.not_in(sorted(PASSING | NOT_TRIED)), table.c.host != ""
    )
    return {row["run_id"]: row["hosts"] for row in read(engine, query.group_by(table.c.run_id), {})}


def finding_grades(engine: sql.Engine, run_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """By run how many findings of each grade the newest analysis has; runs without any are left out."""
    table = tables().analysis
    by = (table.c.run_id, table.c.grade)
    query = sql.select(*by, sql.func.count().label("number")).where(table.c.run_id.in_(run_ids)).group_by(*by)
    found: dict[str, dict[str, int]] = {}
    for row in read(engine, query, {}):
        found.setdefault(row["run_id"], {})[row["grade"]] = row["number"]
    return found
