# SPDX-License-Identifier: GPL-3.0-or-later

"""What the store knows of waivers: in which runs each was in force, and how its steps ended there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import matches_wildcard
from rack_recipes.recipe.waivers import InForce, Place, Streak, Waiver, count_streaks, lifted
from rack_recipes.store.reading.recorded_runs import Row, decoded, is_whole, read, read_in_parts
from rack_recipes.store.schema.tables import tables

RESULT = ("run_id", "step", "host", "verdict", "parent", "waived")


def runs_with_waivers(engine: sql.Engine) -> list[Row]:
    """The runs that had waivers, the oldest first, each with `run_id`, `started` and `waivers`. Raises StoreError."""
    table = tables().runs
    query = sql.select(table.c.run_id, table.c.started, table.c.waivers).where(table.c.waivers.is_not(None), is_whole())
    return read(engine, query.order_by(table.c.started, table.c.run_id), {"waivers": decoded})


def runs_of(runs: Collection[Row]) -> dict[str, list[str]]:
    """The ids of the runs in which each waiver was in force, by the waiver's id."""
    found: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for told in run["waivers"].get("in_force") or ():
            found[told["id"]].append(run["run_id"])
    return found


def results_of_step(engine: sql.Engine, run_ids: Collection[str], pattern: str) -> list[Row]:
    """How the steps that match a pattern ended in these runs, and their instances, the oldest run first.

    In the pattern only `*` is special; more steps may come than match it. Raises StoreError.
    """
    by_run: Mapping[str, list[Row]] = defaultdict(list)
    for row in _rows(engine, run_ids, pattern):
        by_run[row["run_id"]].append(row)
    return [row for run_id in run_ids for row in by_run[run_id]]


def streaks_of(
    engine: sql.Engine, run_ids: Collection[str], waiver: Waiver, hosts: Collection[str] | None
) -> dict[Place, Streak]:
    """The streaks of the results that a waiver is for, in the runs in which it was in force. Raises StoreError."""
    rows = results_of_step(engine, run_ids, waiver.step)
    own = (row for row in rows if hosts is None or row["host"] in hosts)
    return count_streaks(
        ((row["step"], row["host"], row["verdict"]) for row in own if is_for(waiver, row)), waiver.passes
    )


def lifted_places(engine: sql.Engine, run_ids: Collection[str], each: InForce) -> frozenset[Place]:
    """The steps and hosts for which a waiver is lifted by passes; none where it has no number of them."""
    return lifted(streaks_of(engine, run_ids, each.waiver, each.hosts)) if each.waiver.passes else frozenset()


def is_for(waiver: Waiver, row: Row) -> bool:
    """Whether a waiver is for a result, whose verdict does not matter."""
    return any(matches_wildcard(waiver.step, name) for name in (row["step"], row.get("parent")) if name)


def _rows(engine: sql.Engine, run_ids: Collection[str], pattern: str) -> Iterator[Row]:
    table = tables().steps
    columns = [table.c[name] for name in RESULT]
    query = sql.select(*columns).where(
        table.c.instances.is_(None), _begins(table.c.step, pattern) | _begins(table.c.parent, pattern)
    )
    query = query.order_by(table.c.run_id, table.c.host, table.c.step)
    return read_in_parts(engine, query, table.c.run_id, run_ids, {"waived": decoded})


def _begins(column: sql.ColumnElement[str], pattern: str) -> sql.ColumnElement[bool]:
    start, star, _rest = pattern.partition("*")
    if not star:
        return column == pattern
    return sql.func.substr(column, 1, len(start)) == start
