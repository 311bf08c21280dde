# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.plugins.module_utils import run_analysis
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import attempt, end, run, step
from rack_recipes.analysis.analyse_run import analyse_run, store_findings
from rack_recipes.analysis.findings import GRADES, Finding, ResultId, finding_from_row
from rack_recipes.journal.append import append
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal

FOUND = {
    "title": "r1 is slow",
    "grade": "problem",
    "results": [["r1", "compute"], ["r1", "compute", "rate"]],
    "figures": {"rate": 3},
    "advice": "swap it",
    "method": "by eye",
}
BARE = {**FOUND, "title": "nothing named", "grade": "strange", "results": []}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    opened = connect_store(f"sqlite:///{tmp_path}/results.db")
    yield opened
    opened.dispose()


def test_there_are_the_same_grades_on_targets_and_on_the_controller() -> None:
    assert run_analysis.GRADES == GRADES


def test_the_findings_of_the_last_attempt_go_through_the_store(store: Engine, tmp_path: Path) -> None:
    attempts = [attempt(findings=[{**FOUND, "title": "of an earlier attempt"}]), attempt(findings=[FOUND, BARE])]
    append(tmp_path / "journal.jsonl", [run(), step(1), step(2, "", step="look", attempts=attempts), end()])
    import_journal(store, tmp_path / "journal.jsonl")
    found = [one for one in analyse_run(store, "R1") if one.kind == "own"]
    assert found == [
        Finding(
            "own",
            "problem",
            "r1 is slow",
            (ResultId("r1", "compute"), ResultId("r1", "compute", "rate")),
            advice="swap it",
            figures={"rate": 3},
            about={"step": "look"},
            method="by eye",
            origin="scriptlet look",
        ),
        Finding(
            "own",
            "notable",
            "nothing named",
            (ResultId("", "look"),),
            advice="swap it",
            figures={"rate": 3},
            about={"step": "look"},
            method="by eye",
            origin="scriptlet look",
        ),
    ]
    store_findings(store, "R1", found)
    assert [*map(finding_from_row, recorded_runs.findings(store, "R1"))] == found
