# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long steps took before, to tell how long they will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import batched
from statistics import median
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import COMPLETE, PASSING, RAN
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading.queries import newest_first, read
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table
    from sqlalchemy.sql import ColumnElement

RUNS = 20
NOT_PASSED = RAN - PASSING  # a step that was cut off has one of these verdicts
INTERRUPTED = "interrupted"
AT_ONCE = 500  # names in one statement: databases limit its parameters


def durations(engine: Engine, test: str, steps: Collection[str]) -> dict[tuple[str, str], float]:
    """The median seconds of each (step, host) over the last runs of a test; without those that never ran.

    `test` is the `test_id` or the path of the recipe, `steps` are the names as they are planned: a looped step is
    timed as a whole. A result counts in the run that it ran in, and not where a later one used it again. Raises
    StoreError.
    """
    runs = _last_runs(engine, test)
    table = tables().steps
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for names in batched(sorted(steps), AT_ONCE):
        query = sql.select(table.c.step, table.c.host, table.c.seconds).where(
            table.c.run_id.in_(runs), table.c.step.in_(names), _has_had_its_time(table, runs), _ran(table, runs)
        )
        for row in read(engine, query, {}):
            spent[row["step"], row["host"]].append(row["seconds"])
    return {place: median(seconds) for place, seconds in spent.items()}


def _has_had_its_time(table: Table, runs: Mapping[str, str]) -> ColumnElement[bool]:
    """By its verdict; in a run that was interrupted, what did not pass may have been cut off."""
    cut_off = [run_id for run_id, status in runs.items() if status == INTERRUPTED]
    return table.c.verdict.in_(sorted(COMPLETE)) | (
        table.c.verdict.in_(sorted(NOT_PASSED)) & table.c.run_id.not_in(cut_off)
    )


def _ran(table: Table, runs: Mapping[str, str]) -> ColumnElement[bool]:
    """It was tried in its own run; of a looped step, which has no tries of its own, an instance was."""
    each = table.alias()
    of_it = (each.c.run_id == table.c.run_id) & (each.c.host == table.c.host) & (each.c.parent == table.c.step)
    # The runs once more, lest a database looks for instances in all that it has.
    tried = sql.select(each.c.step).where(each.c.run_id.in_(runs), of_it, each.c.tries > 0).exists()
    was_tried = (table.c.tries > 0) | ((table.c.instances > 0) & tried)
    return table.c.source_run.is_(None) & table.c.seconds.is_not(None) & was_tried


def _last_runs(engine: Engine, test: str) -> dict[str, str]:
    """The status of each."""
    table = tables().runs
    query = sql.select(table.c.run_id, table.c.status).where((table.c.test_id == test) | (table.c.recipe == test))
    found = read(engine, query.order_by(*newest_first()).limit(RUNS), {})
    return {row["run_id"]: row["status"] for row in found}
