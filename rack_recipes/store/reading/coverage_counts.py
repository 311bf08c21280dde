# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts of results and measurements over several runs, for what they cover. All functions raise StoreError."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import batched
from typing import TYPE_CHECKING

from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.reading.recorded_runs import Result, read
from rack_recipes.store.reading.values_of_runs import bare
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

AT_ONCE = 500  # runs in one statement: databases limit its parameters

Counted = tuple[str, str, str, int, int]
"""Planned step, host, verdict, the number of results, and the number of criteria that were judged in them."""


def results_by_verdict(engine: Engine, run_ids: Collection[str]) -> Iterator[Counted]:
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


def measurements_by_name(engine: Engine, run_ids: Collection[str]) -> Iterator[Result]:
    """How many values each step has measured under each name and unit, and how many of them had a criterion."""
    table = tables().measurements
    by = (table.c.step, table.c.name, table.c.unit)
    counted = (sql.func.count().label("number"), sql.func.count(table.c.verdict).label("judged"))
    for some in batched(run_ids, AT_ONCE):
        query = sql.select(*by, *counted).where(table.c.run_id.in_(some))
        yield from read(engine, query.group_by(*by), {})
