# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.store.reading.earlier_runs import earlier_runs


def run(number: int, **fields: Any) -> dict[str, Any]:
    """A run that has ended, the one with the greater number later."""
    own = {"run_id": f"R{number:02}", "test_id": "T-1", "recipe": "recipes/burn_in.yml", "status": "passed"}
    return {**own, "started": f"2026-11-{number:02}", "ended": f"2026-11-{number:02}", "options": {}, **fields}


def test_the_history_of_a_run_is_its_last_earlier_runs_the_oldest_first() -> None:
    runs = [run(number) for number in range(9, 0, -1)]
    assert [one["run_id"] for one in earlier_runs(run(5), runs, 3)] == ["R02", "R03", "R04"]


@pytest.mark.parametrize(
    "fields",
    [
        {"test_id": "T-2"},
        {"recipe": "recipes/night.yml"},
        {"recipe": None},
        {"options": {"check": True}},
        {"ended": None, "status": "running"},
    ],
    ids=str,
)
def test_other_tests_and_runs_that_tested_nothing_are_left_out(fields: dict[str, Any]) -> None:
    assert not earlier_runs(run(5), [run(4, **fields)])


def test_a_recipe_may_lie_in_another_folder_and_have_another_content() -> None:
    assert earlier_runs(run(5), [run(4, recipe="/srv/lab/burn_in.yml", digest="sha256:00")])


def test_a_run_of_stages_by_hand_has_no_history() -> None:
    by_hand = {"test_id": None, "recipe": None}
    assert not earlier_runs(run(5, **by_hand), [run(4, **by_hand)])


def test_no_history_can_be_asked_for() -> None:
    assert not earlier_runs(run(5), [run(4)], 0)
