# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long steps took in earlier runs, for a forecast."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import batched
from statistics import median
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import COMPLETE, PASSING, RAN
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.reading.recorded_runs import is_whole, newest_first, read
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table
    from sqlalchemy.sql import ColumnElement

RUNS = 20
NOT_PASSED = RAN - PASSING  # a step that was cut off has one of these verdicts
INTERRUPTED = "interrupted"
AT_ONCE = 500  # names in one statement: databases limit its parameters


def durations(engine: Engine, test: str, steps: Collection[str]) -> dict[tuple[str, str], float]:
    """The median seconds of each (step, host) over the last runs of a test; steps that never ran are left out.

    `test` is the `test_id` or the path of the recipe. `steps` are the names of planned steps, so a looped step is timed
    as a whole. A result counts only in the run in which the step ran, not in a later one that used it again. Raises
    StoreError.
    """
    runs = _last_runs(engine, test)
    table = tables().steps
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for names in batched(sorted(steps), AT_ONCE):
        query = sql.select(table.c.step, table.c.host, table.c.seconds).where(
            table.c.run_id.in_(runs), table.c.step.in_(names), _is_complete(table, runs), _ran(table, runs)
        )
        for row in read(engine, query, {}):
            spent[row["step"], row["host"]].append(row["seconds"])
    return {place: median(seconds) for place, seconds in spent.items()}


def _is_complete(table: Table, runs: Mapping[str, str]) -> ColumnElement[bool]:
    """Whether a step was not cut off: in an interrupted run a step that did not pass may have been."""
    cut_off = [run_id for run_id, status in runs.items() if status == INTERRUPTED]
    return table.c.verdict.in_(sorted(COMPLETE)) | (
        table.c.verdict.in_(sorted(NOT_PASSED)) & table.c.run_id.not_in(cut_off)
    )


def _ran(table: Table, runs: Mapping[str, str]) -> ColumnElement[bool]:
    """Whether a step was tried in this run. A looped step has no tries of its own: one of its instances was."""
    each = table.alias()
    of_it = (each.c.run_id == table.c.run_id) & (each.c.host == table.c.host) & (each.c.parent == table.c.step)
    # The runs are named again, so that no database searches all runs for instances.
    tried = sql.select(each.c.step).where(each.c.run_id.in_(runs), of_it, each.c.tries > 0).exists()
    was_tried = (table.c.tries > 0) | ((table.c.instances > 0) & tried)
    return table.c.source_run.is_(None) & table.c.seconds.is_not(None) & was_tried


def _last_runs(engine: Engine, test: str) -> dict[str, str]:
    """The ids of the last runs of a test, each with its status."""
    table = tables().runs
    query = sql.select(table.c.run_id, table.c.status).where((table.c.test_id == test) | (table.c.recipe == test))
    query = query.where(is_whole())
    found = read(engine, query.order_by(*newest_first()).limit(RUNS), {})
    return {row["run_id"]: row["status"] for row in found}
