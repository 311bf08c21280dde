# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run, step
from rack_recipes.recipe.waivers import InForce, Streak, Waiver
from rack_recipes.store.reading import waiver_history as module
from rack_recipes.store.reading.waiver_history import (
    is_for,
    lifted_places,
    results_of_step,
    runs_of,
    runs_with_waivers,
    streaks_of,
)
from rack_recipes.store.writing.import_journal import import_journal

Written = Callable[..., Path]
LINK = Waiver("link", "r", "w", passes=1)
WAIVED = {"verdict": "failed", "reason": "hot", "by": [LINK.id]}


@pytest.fixture
def told(store: Engine, journal: Written) -> Callable[..., None]:
    def told(day: int, *steps: dict[str, Any], waivers: tuple[Waiver, ...] = (LINK,)) -> None:
        in_force = {"file": "w.yml", "in_force": [each.to_data() for each in waivers], "over": []}
        begun = run(f"R{day}", time=f"2026-11-{day:02}T00:00:00.000000Z", waivers=in_force if waivers else {})
        import_journal(store, journal([begun, *steps], f"R{day}"))

    return told


def test_the_runs_in_which_a_waiver_was_in_force(store: Engine, told: Callable[..., None]):
    other = Waiver("fan", "r", "w", passes=1)
    told(3, step(1))
    told(1, step(1), waivers=(other, LINK))
    told(2, step(1), waivers=())
    found = runs_with_waivers(store)
    assert [row["run_id"] for row in found] == ["R1", "R3"]
    assert runs_of(found) == {LINK.id: ["R1", "R3"], other.id: ["R1"]}


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("link", ["link", "link[a]", "link[b%]"]),
        ("link[a]", ["link[a]"]),
        ("link[*", ["link[a]", "link[b%]"]),
        ("*", ["link", "link[a]", "link[b%]", "linux"]),
        ("gone", []),
    ],
)
def test_the_results_of_steps_and_instances(store: Engine, told, pattern: str, steps: list[str], monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 1)
    told(2, step(1, step="link", verdict="waived", waived=WAIVED))
    told(
        1,
        step(1, step="linux"),
        step(2, step="link[a]", parent="link", verdict="failed"),
        step(3, step="link[b%]", parent="link"),
        step(4, "r2", step="link", instances=2),
    )
    waiver = Waiver(pattern, "r", "w", passes=1)
    rows = [row for row in results_of_step(store, ["R1", "R2"], pattern) if is_for(waiver, row)]
    assert sorted({row["step"] for row in rows}) == steps
    assert [row["run_id"] for row in rows] == sorted(row["run_id"] for row in rows)
    assert all(row["waived"] == (WAIVED if row["run_id"] == "R2" else None) for row in rows)


def test_streaks_are_of_the_waiver_s_own_hosts(store: Engine, told: Callable[..., None]):
    told(1, step(1, step="link", verdict="waived", waived=WAIVED), step(1, "r2", step="link"))
    told(2, step(1, step="link"), step(1, "r2", step="link", verdict="failed"))
    assert streaks_of(store, ["R1", "R2"], LINK, None) == {
        ("link", "r1"): Streak(1, True),
        ("link", "r2"): Streak(0, True),
    }
    assert [*streaks_of(store, ["R1", "R2"], LINK, {"r1"})] == [("link", "r1")]
    assert lifted_places(store, ["R1", "R2"], InForce(LINK, frozenset(["r1"]))) == {("link", "r1")}
    by_date = Waiver("link", "r", "w")
    assert lifted_places(store, ["R1", "R2"], InForce(by_date)) == frozenset()


def test_a_row_that_leaves_out_what_its_run_does_not_use():
    """A report reads rows without `parent` where no step of the run has a loop."""
    assert is_for(LINK, {"step": "link"})
    assert not is_for(LINK, {"step": "psu"})
