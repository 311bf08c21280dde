# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run
from rack_recipes.analysis import analyse_run, change_points_and_drift, values_unlike_earlier_runs
from rack_recipes.analysis.analyse_run import store_findings
from rack_recipes.analysis.findings import (
    FINDING_KINDS,
    GRADES,
    NOTABLE,
    PROBLEM,
    Finding,
    ResultId,
    finding_from_row,
    most_important_first,
)
from rack_recipes.analysis.methods import outliers
from rack_recipes.journal.append import append
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal

CAUSE = Finding("cause", PROBLEM, "3 results failed together: leaf2", (ResultId("r1", "ping"),), explains=3)
OUTLIER = Finding("outlier", NOTABLE, "r1 is hot", (ResultId("r1", "read", "t"),), figures={"z": 9.5}, method="vote")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    """A store with one run."""
    journal = tmp_path / "journal.jsonl"
    append(journal, [run()])
    opened = connect_store(f"sqlite:///{tmp_path}/results.db")
    import_journal(opened, journal)
    yield opened
    opened.dispose()


def test_findings_are_stored_and_read_back(store: Engine) -> None:
    store_findings(store, "R1", [CAUSE, OUTLIER])
    assert [*map(finding_from_row, recorded_runs.findings(store, "R1"))] == [CAUSE, OUTLIER]


def test_a_later_analysis_replaces_the_findings_of_an_earlier_one(store: Engine) -> None:
    store_findings(store, "R1", [CAUSE, OUTLIER])
    store_findings(store, "R1", [OUTLIER])
    assert [*map(finding_from_row, recorded_runs.findings(store, "R1"))] == [OUTLIER]


def test_the_gravest_come_first_then_those_that_explain_most() -> None:
    small = Finding("cause", PROBLEM, "1 result", explains=1)
    link = Finding("link", PROBLEM, "leaf1 and leaf2 disagree", explains=1)
    assert most_important_first([OUTLIER, link, small, CAUSE]) == [CAUSE, small, link, OUTLIER]


def test_a_method_is_left_out_only_where_it_can_find_nothing() -> None:
    least = {
        "outliers": (outliers.LEAST_GROUP, 0),
        "change_points_and_drift": (0, change_points_and_drift.LEAST_RUNS),
        "values_unlike_earlier_runs": (0, values_unlike_earlier_runs.LEAST_HISTORY + 1),
    }
    assert {name: tuple(needs) for name, needs in analyse_run.NEEDS.items()} == least
    assert set(analyse_run.NEEDS) < set(analyse_run.ANALYSERS)


def test_every_analyser_names_kinds_and_grades_that_are_known(store: Engine) -> None:
    found = analyse_run.analyse_run(store, "R1")
    assert {one.kind for one in found} <= set(FINDING_KINDS)
    assert {one.grade for one in found} <= set(GRADES)
