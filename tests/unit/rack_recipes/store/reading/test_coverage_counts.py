# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run, step
from rack_recipes.store.reading.several_runs import results_by_verdict
from rack_recipes.store.writing.import_journal import import_journal


def test_results_of_several_runs_are_counted_by_step_host_and_verdict(
    store: Engine, journal: Callable[..., Path]
) -> None:
    """Every database gives whole numbers; a looped step counts by its instances, and no checks are 0."""
    looped = [step(2, "r1", instances=2), *(step(n, "r1", step=f"compute[{n}]", parent="compute") for n in (3, 4))]
    import_journal(store, journal([run("R1"), *looped, step(5, "r2", checks=2)], "R1"))
    import_journal(store, journal([run("R2"), step(2, "r2", checks=3), step(3, "r3", verdict="failed")], "R2"))
    found = sorted(results_by_verdict(store, ["R1", "R2"]))
    assert found == [
        ("compute", "r1", "passed", 2, 0),
        ("compute", "r2", "passed", 2, 5),
        ("compute", "r3", "failed", 1, 0),
    ]
    assert {type(number) for row in found for number in row[3:]} == {int}
