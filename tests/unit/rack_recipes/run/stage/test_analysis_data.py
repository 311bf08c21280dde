# SPDX-License-Identifier: GPL-3.0-or-later

"""What steps that analyse their run are handed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run import minimal_runs
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, end, planned, step, store
from rack_recipes.journal.append import append
from rack_recipes.run.current_run import Run, RunInputs
from rack_recipes.run.stage.analysis_data import analysis_data, results_of

RECIPE = {"test_id": "T-1", "path": "recipes/a.yml"}
MEASURED = [{"name": "rate", "value": 3, "unit": ""}]
READS = [{"name": "look", "reads_results": True, "reads_history": ["rate"]}]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    db = f"sqlite:///{tmp_path}/results.db"
    return a_run(tmp_path, planned("b", "r1", "r2"), planned("a", "r1"), inputs=RunInputs(recipe=RECIPE), db=db)


def stored(run: Run, run_id: str, **recipe: Any) -> None:
    """Put an earlier run into the store."""
    first = {**minimal_runs.first(planned("a", "r1"), run_id=run_id), "recipe": {**RECIPE, **recipe}}
    folder = run.folder.parent / run_id
    folder.mkdir()
    append(folder / "journal.jsonl", [first, step("a", "r1", measurements=MEASURED), end()])
    store(run.settings.db, folder / "journal.jsonl")


def test_the_record_of_each_result_that_counts(run: Run) -> None:
    append(
        run.path,
        [
            step("b", "r2", "failed", 1, "too slow", measurements=MEASURED),
            step("a", "r1", "passed", 2, seconds=2.5),
            step("b", "r1", "error", 0, "assumed"),
            step("b", "r1", "passed", 3, flake=True),
            step("b", "r1", "error", 0, "assumed later"),
            step("a", "r1", "error", 0, "overruled", final=True),
            step("loop", "r1", "passed", 4, instances=1),
            step("loop[1]", "r1", "passed", 5, parent="loop"),
        ],
    )
    found = results_of(run)
    assert [(row["step"], row["host"], row["verdict"], row["reason"]) for row in found] == [
        ("loop[1]", "r1", "passed", ""),
        ("a", "r1", "error", "overruled"),
        ("b", "r1", "passed", ""),
        ("b", "r2", "failed", "too slow"),
    ]
    assert found[3]["measurements"] == MEASURED
    assert (found[2]["flake"], found[0]["parent"], found[2]["seconds"]) == (True, "loop", 0.5)


def test_only_what_is_declared_is_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    append(run.path, [step("a", "r1")])
    assert analysis_data(run, [{"name": "a"}]) == ({}, "")
    data, problem = analysis_data(run, [{"name": "a", "reads_results": True}])
    assert (len(data["results"]), "history" in data, problem) == (1, False, "")


def test_the_history_is_that_of_the_same_test(run: Run) -> None:
    stored(run, "R0")
    stored(run, "X0", test_id="T-2")
    data, problem = analysis_data(run, READS)
    assert problem == ""
    assert [(row["run"], row["host"], row["value"]) for row in data["history"]["rate"]] == [("R0", "r1", 3)]


@pytest.mark.parametrize(
    "spoil",
    [Path.exists, lambda path: path.write_text("no database"), lambda path: path.mkdir()],
    ids=["missing", "broken", "a folder"],
)
def test_without_a_store_the_history_is_empty_and_that_is_said(run: Run, spoil: Callable[[Path], object]) -> None:
    spoil(Path(run.settings.db.removeprefix("sqlite:///")))
    data, problem = analysis_data(run, READS)
    assert data == {"results": [], "history": {"rate": []}}
    assert problem.startswith("there is no history for the analysis of this run: ")
