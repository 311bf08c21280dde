# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import end, run, step
from rack_recipes.analysis import coverage as module
from rack_recipes.analysis.coverage import (
    ENOUGH_RUNS,
    Coverage,
    StepCoverage,
    Unlimited,
    coverage_from_counts,
    findings,
    judged_by_other_names,
)
from rack_recipes.analysis.findings import NOTE, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import load_run_data
from rack_recipes.journal.append import append
from rack_recipes.store.reading.several_runs import Counted
from rack_recipes.store.writing.import_journal import import_journal

Told = Callable[..., dict[str, Finding]]
JUDGED = {"name": "temp", "value": 1, "unit": "C", "limits": {"max": 2}, "distance": 1, "verdict": "passed"}
MEASURED = {"name": "speed", "value": 3, "unit": "rpm"}


def counted(planned: str, host: str, verdict: str, results: int = 1, checks: int = 1) -> Counted:
    return planned, host, verdict, results, checks


def test_what_counts_say_of_a_step():
    rows = [
        counted("fan", "r1", "passed", 3),
        counted("fan", "r1", "failed"),
        counted("fan", "r2", "waived", 2),
        counted("fan", "r3", "blocked", 5, checks=0),
        counted("fan", "r4", "unreachable", checks=0),
        counted("fan", "r5", "cached", checks=0),
        counted("fan", "r1", "cached", checks=0),
        counted("link", "", "passed", 3),
        counted("link", "r1", "skipped", checks=0),
        counted("ok", "r1", "marginal", 2, checks=0),
    ]
    fan, link, ok = coverage_from_counts(rows, []).steps
    assert fan == StepCoverage("fan", 6, 3, 3, ["r1", "r2"], ["r3", "r4"], ["r5"])
    assert link == StepCoverage("link", 3, 0, 1, [""], [], []), "a step between hosts ran for the run"
    assert ok == StepCoverage("ok", 2, 0, 0, ["r1"], [], [])
    found = Coverage([fan, ok], [])
    assert (found.never_run, found.never_failed, found.unchecked) == ([fan], [ok], [ok])


def test_a_measurement_is_without_a_limit_where_none_of_its_values_was_ever_judged():
    rows = [
        {"step": "fan[1]", "name": "speed", "unit": "rpm", "number": 2, "judged": 0},
        {"step": "fan[2]", "name": "speed", "unit": "rpm", "number": 1, "judged": 0},
        {"step": "fan", "name": "temp", "unit": "C", "number": 2, "judged": 0},
        {"step": "fan[3]", "name": "temp", "unit": "C", "number": 2, "judged": 1},
        {"step": "fan", "name": "state", "unit": None, "number": 2, "judged": 0},
    ]
    assert coverage_from_counts([], rows).unlimited == [
        Unlimited("fan", "speed", "rpm", 3),
        Unlimited("fan", "state", "", 2),
    ]


def disk(name: str, value: object, host: str = "r1", verdict: str | None = None, unit: str = "%") -> dict[str, Any]:
    return {"step": "disk", "host": host, "name": name, "unit": unit, "value": value, "verdict": verdict}


@pytest.mark.parametrize(
    ("rows", "is_judged"),
    [
        ([disk("disk_used", 49.7), disk("full", 49.7, verdict="passed")], True),
        ([disk("disk_used", 50), disk("disk", 50, verdict="passed")], True),
        ([disk("disk_used", 0), disk("errors", 0, verdict="passed")], False),
        ([disk("disk_used", 49.7), disk("full", 49.8, verdict="passed")], False),
        ([disk("disk_used", 49.7), disk("full", 49.7, verdict="passed", unit="B")], False),
        ([disk("disk_used", 49.7), disk("disk_used", 9.1, "r2"), disk("full", 49.7, verdict="passed")], False),
        ([], False),
    ],
)
def test_a_number_that_is_judged_under_another_name_has_a_limit(rows: list[dict[str, Any]], *, is_judged: bool):
    one = Unlimited("disk", "disk_used", "%", 2)
    assert judged_by_other_names([one], rows) == ({one} if is_judged else set())


def result(*place: Any, **fields: Any) -> dict[str, Any]:
    return step(*place, **{"measurements": [], **fields})


@pytest.fixture
def told(new_store: Engine, tmp_path: Path) -> Told:
    """Stores runs, each with its steps; returns the findings about the last one, by the beginning of their titles."""

    def told(*runs: list[dict[str, Any]]) -> dict[str, Finding]:
        for day, steps in enumerate(runs, 1):
            path = tmp_path / f"R{day}" / "journal.jsonl"
            append(path, [run(f"R{day}", time=f"2026-11-{day:02}T00:00:00.000000Z"), *steps, end(counts={"passed": 2})])
            import_journal(new_store, path)
        data = load_run_data(new_store, f"R{len(runs)}")
        found = [*findings(data, History(new_store, data))]
        assert {(one.kind, one.grade) for one in found} <= {("coverage", NOTE)}
        return {one.title.partition(":")[0]: one for one in found}

    return told


def test_what_was_never_run_where_it_was_planned(told: Told):
    first = [result(1, checks=1), result(1, "r2", verdict="blocked", checks=0)]
    assert told(first) == {}  # one run says nothing of "never"
    found = told(first, [result(1, checks=1), result(1, "r2", verdict="skipped")])
    one = found["In 2 runs never run where it was planned"]
    assert one.title.endswith(": compute on r2")
    assert one.results == (ResultId("r2", "compute"),)
    assert told(first, first, [result(1, checks=1), result(1, "r2", checks=1)]) == {}


def test_what_nobody_judges(told: Told):
    found = told([result(1, checks=0), result(2, step="fan", checks=1, measurements=[JUDGED, MEASURED])])
    assert found["1 step judges nothing"].results == (ResultId("r1", "compute"),)
    assert found["1 measurement has no limit"].title == "1 measurement has no limit: speed of fan"
    assert found["1 measurement has no limit"].results == (ResultId("r1", "fan", "speed"),)
    assert len(found) == 2


def test_a_step_that_ended_as_an_error_may_have_criteria(told: Told):
    assert told([result(1, verdict="error", checks=0)]) == {}


def test_what_has_never_failed_is_told_after_enough_runs(told: Told):
    runs = [
        [result(1, checks=1), result(2, step="fan", checks=1, verdict="failed" if n == 3 else "passed")]
        for n in range(ENOUGH_RUNS)
    ]
    assert told(*runs[:-1]) == {}
    found = told(*runs)
    assert [one.title for one in found.values()] == ["1 step with criteria has never failed in 10 runs: compute"]


def test_what_an_older_recipe_had_is_of_no_interest(told: Told):
    assert told([result(1, checks=0, step="gone")], [result(1, checks=1)]) == {}


def test_of_very_large_runs_fewer_are_looked_at(told: Told, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_COUNTED", 5)
    runs = [[result(1, checks=1), result(1, "r2", verdict="blocked", checks=0)]] * 4
    assert [*told(*runs)] == ["In 2 runs never run where it was planned"]
