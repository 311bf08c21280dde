# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import end, run, step
from rack_recipes.analysis.findings import NOTABLE, NOTE, Finding, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import load_run_data
from rack_recipes.analysis.waiver_use import UNUSED_RUNS, findings, read_waiver_uses
from rack_recipes.journal.append import append
from rack_recipes.recipe.waivers import Streak, Waiver, day_of
from rack_recipes.store.writing.import_journal import import_journal

LINK = Waiver("link", "RMA 1", "alice", day_of("2026-12-31T00:00:00Z"), line=2)
FAN = Waiver("fan", "loud", "bob", passes=2, measurement="noise", line=3)
DAY = "2026-11-{:02}T00:00:00.000000Z"


@pytest.fixture
def told(new_store: Engine, tmp_path: Path) -> Callable[..., list[Finding]]:
    """Stores one run a day; each is its steps by host and verdict. Returns the findings about the last one."""

    def told(*days: dict[tuple[str, str], str], in_force: Any = (LINK, FAN), over: Any = (), month: str = "11") -> Any:
        for day, ends in enumerate(days, 1):
            waivers = {"in_force": [each.to_data() for each in in_force], "over": [each.to_data() for each in over]}
            begun = run(f"R{day}", time=DAY.format(day).replace("-11-", f"-{month}-"), waivers=waivers)
            results = [_step(number, *place, verdict) for number, (place, verdict) in enumerate(ends.items(), 1)]
            path = tmp_path / f"R{day}" / "journal.jsonl"
            append(path, [begun, *results, end()])
            import_journal(new_store, path)
        data = load_run_data(new_store, f"R{len(days)}")
        found = [*findings(data, History(new_store, data))]
        told.uses = read_waiver_uses(new_store, in_force, day_of(data.run["started"]))  # type: ignore[attr-defined]
        return found

    return told


def _step(number: int, name: str, host: str, verdict: str) -> dict[str, Any]:
    by = LINK.id if name == "link" else FAN.id
    more = {"waived": {"verdict": "failed", "reason": "hot", "by": [by]}} if verdict == "waived" else {}
    return step(number, host, step=name, verdict=verdict, **more)


def test_what_a_waiver_covers_is_a_note_with_its_results(told):
    (found,) = told({("link", "r1"): "waived", ("link", "r2"): "waived", ("fan", "r1"): "passed"})
    assert found.title == "2 failures are waived by alice until 2026-12-31: link, RMA 1."
    assert (found.kind, found.grade, found.explains) == ("waiver", NOTE, 0)
    assert found.results == (ResultId("r1", "link"), ResultId("r2", "link"))
    assert found.figures == {"used": 2, "runs": 1, "until": "2026-12-31"}
    assert found.about == {"step": "link", "waiver": LINK.id}


def test_one_that_is_about_to_end_is_notable(told):
    (found,) = told(*[{}] * 26, {("link", "r1"): "waived"}, in_force=(LINK,), month="12")
    assert found.title == "1 failure is waived by alice until 2026-12-31: link, RMA 1. It ends in 4 days."
    assert found.grade == NOTABLE
    assert found.advice == ("Repair it, or give the waiver in line 2 a new date: after 2026-12-31 it fails.")


def test_passes_in_a_row_are_counted(told):
    waived, passed = {("fan", "r1"): "waived", ("fan", "r2"): "waived"}, {("fan", "r1"): "passed"}
    (found,) = told(waived, {**passed, ("fan", "r2"): "waived"}, in_force=(FAN,))
    assert found.figures == {"used": 3, "runs": 2, "passes": 0, "passes_needed": 2}
    assert found.about["name"] == "noise"
    assert told.uses[0].streaks == {("fan", "r1"): Streak(1), ("fan", "r2"): Streak(0)}


def test_one_that_is_lifted_everywhere_is_told(told):
    passed = {("fan", "r1"): "passed", ("fan", "r2"): "failed"}  # it has waived nothing on r2
    (found,) = told({("fan", "r1"): "waived"}, passed, passed, in_force=(FAN,))
    assert found.title == "The waiver of fan by bob is lifted: what it covered has passed 2 times in a row."
    assert (found.grade, found.advice) == (NOTABLE, "Remove it from the file of waivers, line 3.")
    assert told.uses[0].state == "lifted"


def test_one_that_was_never_used_is_told_after_some_runs(told):
    passed = {("link", "r1"): "passed"}
    assert told(*[passed] * (UNUSED_RUNS - 1), in_force=(LINK,)) == []
    (found,) = told(*[passed] * UNUSED_RUNS, in_force=(LINK,))
    assert found.title == "The waiver of link by alice has covered nothing in 5 runs."
    assert found.grade == NOTE


@pytest.mark.parametrize(
    ("verdict", "grade", "title"),
    [
        ("failed", NOTABLE, "The waiver of link by alice was over after 2026-12-31, and 1 result failed."),
        ("passed", NOTE, "The waiver of link by alice was over after 2026-12-31; nothing failed."),
    ],
)
def test_one_that_is_over_is_told(told, verdict: str, grade: str, title: str):
    (found,) = told({("link", "r1"): verdict}, in_force=(), over=(LINK,))
    assert (found.title, found.grade) == (title, grade)
    assert "line 2" in found.advice


def test_a_run_without_waivers_has_no_such_findings(told):
    assert told({("link", "r1"): "failed"}, in_force=()) == []


def test_a_waiver_is_the_same_as_its_data():
    many = Waiver("a", "r", "w", LINK.until, 3, "T", "r.yml", ("x", "y"), "m", ("unreachable",), {"slot": 2}, 9)
    for waiver in (LINK, FAN, many):
        assert Waiver.from_data({**waiver.to_data(), "on": ["x"], "lifted": []}) == waiver
