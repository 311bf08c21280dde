# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that were accepted as good: which one counts for a test, and what another run has worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.analysis.run_changes import Change, run_changes, worse_criteria, worse_steps
from rack_recipes.store.database.database_errors import patiently, translated
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.bulk_insert import write
from rack_recipes.store.writing.record_to_rows import in_order, name, storable

if TYPE_CHECKING:
    from sqlalchemy import Engine

Row = Mapping[str, Any]

PATIENCE = 30.0  # seconds for which a write is tried again after a passing fault


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is worse in a run than in its baseline, what is good again, and what differs about the runs themselves."""

    baseline: Row
    steps: Sequence[Change]
    criteria: Sequence[Change]
    better: Sequence[Change]
    about: Sequence[Change]


def name_of_test(run: Row) -> str:
    """The name under which a test has its baseline: its id, or its recipe where it has none."""
    return str(run.get("test_id") or run.get("recipe") or "")


def baseline_of(engine: Engine, run: Row) -> Row | None:
    """The baseline that counts for a run: the newest of its test that nobody has withdrawn. Raises StoreError."""
    accepted = recorded_runs.baselines(engine, name_of_test(run))
    return next((one for one in accepted if not one["withdrawn"]), None)


def compare(engine: Engine, baseline: Row, run_id: str) -> Comparison:
    """Compare a run with its baseline. What only one of them has does not count. Raises UsageError and StoreError."""
    ids = baseline["run_id"], run_id
    first, second = (recorded_runs.steps(engine, one, attempts=False) for one in ids)
    measured = [recorded_runs.measurements(engine, one) for one in ids]
    return Comparison(
        baseline,
        steps=worse_steps(first, second),
        criteria=worse_criteria(*measured),
        better=worse_steps(first=second, second=first),
        about=run_changes(recorded_runs.run(engine, ids[0]), recorded_runs.run(engine, ids[1])),
    )


def accept(engine: Engine, run: Row, user: str, note: str = "") -> Row:
    """Make a run the baseline of its test; returns the row of `baselines`. Raises StoreError."""
    table = tables().baselines
    values = {"run_id": run["run_id"], "test_id": name(name_of_test(run)), "accepted": now(), "user": name(user)}
    row = {**values, "note": storable(note) or None, "withdrawn": None}

    def insert() -> None:
        with engine.begin() as connection:
            write(connection, table, [in_order(table, row)])

    with translated(engine.url):
        patiently(insert, PATIENCE)
    return row


def withdraw(engine: Engine, test: str) -> int:
    """Withdraw all baselines of a test, so that none counts; returns how many counted until now. Raises StoreError."""
    table = tables().baselines
    change = table.update().where(table.c.test_id == test, table.c.withdrawn.is_(None)).values(withdrawn=now())

    def update() -> int:
        with engine.begin() as connection:
            return connection.execute(change).rowcount

    with translated(engine.url):
        return patiently(update, PATIENCE)
