# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import end, run, step
from rack_recipes.store.reading import earlier_runs as module
from rack_recipes.store.reading.earlier_runs import median_durations
from rack_recipes.store.writing.import_journal import import_journal

Written = Callable[..., Path]


@pytest.fixture
def told(store: Engine, journal: Written) -> Callable[..., None]:
    """Stores a run that began on a day of November, with these steps."""

    def told(day: int, *steps: dict[str, Any], test_id: str = "T-17") -> None:
        recipe = {"path": "recipes/numbers.yml", "test_id": test_id}
        begun = run(f"R{day}", recipe=recipe, time=f"2026-11-{day:02}T00:00:00.000000Z")
        import_journal(store, journal([begun, *steps], f"R{day}"))

    return told


def test_the_middle_of_the_last_runs(store: Engine, told: Callable[..., None]) -> None:
    for day, seconds in enumerate((1.0, 9.0, 2.0), 1):
        told(day, step(1, "r1", seconds=seconds), step(2, "r2", seconds=4.0, step="other"))
    expected = {("compute", "r1"): 2.0, ("other", "r2"): 4.0}
    assert median_durations(store, "T-17", ["compute", "other", "unknown"]) == expected
    assert median_durations(store, "recipes/numbers.yml", ["compute", "other"]) == expected
    assert median_durations(store, "T-17", ["other"]) == {("other", "r2"): 4.0}
    assert median_durations(store, "T-17", []) == {}
    assert median_durations(store, "T-18", ["compute"]) == {}


def test_only_the_last_runs_count(store: Engine, told: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS_OF_FORECAST", 2)
    for day in (3, 1, 2):
        told(day, step(1, seconds=float(day)))
    told(4, step(1, seconds=100.0), test_id="T-18")
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 2.5}


@pytest.mark.parametrize("verdict", ["skipped", "blocked", "unreachable", "cached", "waived"])
def test_what_did_not_run_says_nothing(store: Engine, told: Callable[..., None], verdict: str) -> None:
    told(1, step(1, seconds=3.0, verdict="failed"), step(1, "r2", seconds=3.0, verdict=verdict))
    told(2, step(1, seconds=0.0, verdict=verdict), step(1, "r2", seconds=None))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 3.0}


def test_what_never_began_says_nothing(store: Engine, told: Callable[..., None]) -> None:
    told(1, step(1, seconds=3.0), step(1, "r2", seconds=4.0))
    told(2, step(1, seconds=0.0, verdict="error", reason="not run: the run was interrupted", attempts=[]))
    told(3, step(1, "r2", seconds=0.5, verdict="error", reason="missing: ${ctx.numbers.size_v1}", attempts=[]))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 3.0, ("compute", "r2"): 4.0}


def test_what_another_run_took_counts_once(store: Engine, told: Callable[..., None]) -> None:
    told(1, step(1, seconds=9.0))
    told(2, step(1, seconds=1.0))
    told(3, step(1, seconds=9.0, reason="reused from R1", **{"from": "R1"}))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 5.0}


def test_of_an_interrupted_run_counts_what_passed(store: Engine, told: Callable[..., None]) -> None:
    cut_off = step(1, seconds=0.5, verdict="error", reason="stopped: the run was interrupted")
    waited = step(1, "r2", seconds=0.5, verdict="failed", reason="it would have been tried again")
    told(1, cut_off, waited, step(1, "r3", seconds=2.0), end(status="interrupted", exit_code=130))
    told(2, step(1, seconds=4.0, verdict="error"), step(1, "r2", seconds=6.0, verdict="failed"), end(status="failed"))
    expected = {("compute", "r1"): 4.0, ("compute", "r2"): 6.0, ("compute", "r3"): 2.0}
    assert median_durations(store, "T-17", ["compute"]) == expected


def test_a_run_without_an_end_counts(store: Engine, told: Callable[..., None]) -> None:
    told(1, step(1, seconds=4.0, verdict="failed"))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 4.0}


def test_a_looped_step_is_timed_as_a_whole(store: Engine, told: Callable[..., None]) -> None:
    instances = [step(n, step=f"compute[{n}]", parent="compute", seconds=1.0) for n in (1, 2)]
    told(1, *instances, step(3, seconds=2.1, instances=2, attempts=[]))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 2.1}


def test_a_looped_step_of_which_nothing_ran_says_nothing(store: Engine, told: Callable[..., None]) -> None:
    unfit = {"verdict": "error", "seconds": 0.0, "attempts": []}
    loops = {"r1": [unfit, {"seconds": 2.0}], "r2": [unfit, unfit], "r3": [{**unfit, "from": "R0"}] * 2}
    steps = [
        step(n, host, step=f"compute[{n}]", parent="compute", **fields)
        for host, instances in loops.items()
        for n, fields in enumerate(instances)
    ]
    looped = {"instances": 2, "attempts": [], "seconds": 2.1, "verdict": "error"}
    reused = step(3, "r3", **looped, **{"from": "R0"})
    told(1, *steps, step(3, "r1", **looped), step(3, "r2", **looped), reused)
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 2.1}


def test_many_steps_are_asked_for_in_parts(store: Engine, told: Callable[..., None]) -> None:
    told(1, *(step(n, step=f"s{n}", seconds=float(n)) for n in range(1200)))
    found = median_durations(store, "T-17", [f"s{n}" for n in range(1200)])
    assert found == {(f"s{n}", "r1"): float(n) for n in range(1200)}
