# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how single results ended in several runs. All functions raise StoreError."""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import batched
from typing import TYPE_CHECKING, Any

from rack_recipes.journal.step_results_and_end_status import CUT_OFF
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.reading.recorded_runs import DETAILS, read
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.sql import ColumnElement

Place = tuple[str, str]  # host and step

AT_ONCE = 400  # names in one statement: databases limit its parameters


def outcomes(engine: Engine, run_ids: Collection[str], places: Iterable[Place]) -> Iterator[dict[str, Any]]:
    """`run_id`, `host`, `step`, `parent`, `verdict`, `inputs` and `flake` of these results in these runs."""
    hosts: dict[str, set[str]] = defaultdict(set)
    for host, step in places:
        hosts[step].add(host)
    table = tables().steps
    names = ("run_id", "host", "step", "parent", "verdict", "inputs", "flake")
    for step in sorted(hosts):
        for some in batched(sorted(hosts[step]), AT_ONCE):
            query = sql.select(*(table.c[name] for name in names)).where(table.c.step == step, table.c.host.in_(some))
            yield from read(engine, query.where(table.c.run_id.in_(run_ids), was_tried()), {"flake": bool})


def results_on(engine: Engine, run_ids: Collection[str], hosts: Collection[str]) -> Iterator[dict[str, Any]]:
    """`run_id`, `host`, `step`, `parent` and `verdict` of all results of these hosts in these runs."""
    table = tables().steps
    columns = (table.c.run_id, table.c.host, table.c.step, table.c.parent, table.c.verdict)
    for run_id in sorted(run_ids):
        for some in batched(sorted(hosts), AT_ONCE):
            query = sql.select(*columns).where(table.c.run_id == run_id, table.c.host.in_(some), was_tried())
            yield from read(engine, query, {})


def was_tried() -> ColumnElement[bool]:
    """Whether a row of `steps` says something: not so where the end of an interrupted run has cut the step off."""
    table = tables().steps
    reason = sql.func.coalesce(table.c.reason, "")
    beginnings = [reason.startswith(start) for start in CUT_OFF]
    return (table.c.verdict != "error") | ~functools.reduce(operator.or_, beginnings)


def told(engine: Engine, run_ids: Collection[str], kind: str) -> list[dict[str, Any]]:
    """What earlier analyses of these runs say their findings of a kind are about."""
    table = tables().analysis
    query = sql.select(table.c.about).where(table.c.run_id.in_(run_ids), table.c.kind == kind)
    return [row["about"] for row in read(engine, query, {"about": DETAILS["analysis"]["about"]})]
