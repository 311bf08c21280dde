# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long steps took before, to tell how long they will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import batched
from statistics import median
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading.load import newest_first, read
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

RUNS = 20
TIMED = ("passed", "marginal", "failed", "error")  # what ran: the time of all other verdicts says nothing
AT_ONCE = 500  # names in one statement: databases limit its parameters


def durations(engine: Engine, test: str, steps: Collection[str]) -> dict[tuple[str, str], float]:
    """The median seconds of each (step, host) over the last runs of a test; without those that never ran.

    `test` is the `test_id` or the path of the recipe, `steps` are the names as they are planned: a looped step is
    timed as a whole. Raises StoreError.
    """
    runs = _last_runs(engine, test)
    table = tables().steps
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for names in batched(sorted(steps), AT_ONCE):
        query = sql.select(table.c.step, table.c.host, table.c.seconds).where(
            table.c.run_id.in_(runs), table.c.step.in_(names), table.c.verdict.in_(TIMED), table.c.seconds.is_not(None)
        )
        for row in read(engine, query, {}):
            spent[row["step"], row["host"]].append(row["seconds"])
    return {place: median(seconds) for place, seconds in spent.items()}


def _last_runs(engine: Engine, test: str) -> list[str]:
    table = tables().runs
    query = sql.select(table.c.run_id).where((table.c.test_id == test) | (table.c.recipe == test))
    return [row["run_id"] for row in read(engine, query.order_by(*newest_first()).limit(RUNS), {})]
