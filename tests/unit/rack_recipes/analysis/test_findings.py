# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.plugins.module_utils import run_analysis
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.planted_runs import NO_HISTORY
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import attempt, end, run, step
from rack_recipes.analysis import analyse_run, change_points_and_drift, values_unlike_earlier_runs
from rack_recipes.analysis.analyse_run import store_findings
from rack_recipes.analysis.findings import (
    FINDING_KINDS,
    GRADES,
    NOTABLE,
    NOTE,
    PROBLEM,
    Finding,
    ResultId,
    finding_from_row,
    format_age,
    format_amount,
    format_count,
    most_important_first,
    the_last,
)
from rack_recipes.analysis.methods import outliers
from rack_recipes.analysis.values_over_runs import Series
from rack_recipes.journal.append import append
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1 / 3, "us", "0.3333 us"), (100000000.0, "", "100000000"), (1e300, "", "1e+300"), (-2.5, "C", "-2.5 C")],
)
def test_amounts(value: float, unit: str, text: str) -> None:
    assert format_amount(value, unit) == text


def test_numbers_of_things() -> None:
    assert [format_count(1, "host"), format_count(2000, "host"), format_count(2, "match", "matches")] == [
        "1 host",
        "2,000 hosts",
        "2 matches",
    ]


def test_the_newest_of_many() -> None:
    assert [the_last(1, "run"), the_last(2, "run")] == ["the last run", "the last 2 runs"]


@pytest.mark.parametrize(
    ("series", "name"),
    [
        (Series("ping", "loss", "%"), "loss of ping"),
        (Series("ping", "loss", "%", 2), "loss (number 2) of ping"),
        (Series("", "numbers.stats_v1.mean", key="numbers.stats_v1"), "numbers.stats_v1.mean"),
    ],
)
def test_names_of_series(series: Series, name: str) -> None:
    assert series.in_words == name


@pytest.mark.parametrize(
    ("earlier", "later", "text"),
    [
        ("2026-11-01T00:00:00Z", "2026-11-03T12:00:00Z", "2 days"),
        ("2026-11-01T00:00:00Z", "2026-11-02T23:00:00Z", "47 hours"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:01:30Z", "1 minute"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:59Z", "less than a minute"),
        ("2026-11-01T00:00:01Z", "2026-11-01T00:00:00Z", ""),
        (None, "2026-11-01T00:01:30Z", ""),
        ("yesterday", "2026-11-01T00:01:30Z", ""),
    ],
)
def test_ages(earlier: str | None, later: str, text: str) -> None:
    assert format_age(earlier, later) == text


CAUSE = Finding("cause", PROBLEM, "3 results failed together: leaf2", (ResultId("r1", "ping"),), explains=3)
OUTLIER = Finding("outlier", NOTABLE, "r1 is hot", (ResultId("r1", "read", "t"),), figures={"z": 9.5}, method="vote")


@pytest.fixture
def store(new_store: Engine, tmp_path: Path) -> Engine:
    """A store with one run."""
    append(tmp_path / "journal.jsonl", [run()])
    import_journal(new_store, tmp_path / "journal.jsonl")
    return new_store


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
        "hosts_beside_twins": (outliers.LEAST_GROUP, change_points_and_drift.LEAST_RUNS),
        "values_unlike_earlier_runs": (0, values_unlike_earlier_runs.LEAST_HISTORY + 1),
    }
    assert {name: tuple(needs) for name, needs in analyse_run.NEEDS.items()} == least
    assert set(analyse_run.NEEDS) < set(analyse_run.ANALYSERS)


HAS_METHOD = re.compile(r"^def findings\(_?run: RunData, _?history: History\)", re.MULTILINE)


def test_every_method_is_in_the_table_of_those_that_are_used() -> None:
    modules = Path(analyse_run.__file__).parent.glob("*.py")
    assert {path.stem for path in modules if HAS_METHOD.search(path.read_text())} == {*analyse_run.ANALYSERS}


def test_every_analyser_names_kinds_and_grades_that_are_known(store: Engine) -> None:
    found = analyse_run.analyse_run(store, "R1")
    assert {one.kind for one in found} <= set(FINDING_KINDS)
    assert {one.grade for one in found} <= set(GRADES)


FOUND = {
    "title": "r1 is slow",
    "grade": "problem",
    "results": [["r1", "compute"], ["r1", "compute", "rate"]],
    "figures": {"rate": 3},
    "advice": "swap it",
    "method": "by eye",
}
BARE = {**FOUND, "title": "nothing named", "grade": "strange", "results": []}


def test_there_are_the_same_grades_on_targets_and_on_the_controller() -> None:
    assert run_analysis.GRADES == GRADES


def test_the_findings_of_the_last_attempt_go_through_the_store(new_store: Engine, tmp_path: Path) -> None:
    attempts = [attempt(findings=[{**FOUND, "title": "of an earlier attempt"}]), attempt(findings=[FOUND, BARE])]
    append(tmp_path / "journal.jsonl", [run(), step(1), step(2, "", step="look", attempts=attempts), end()])
    import_journal(new_store, tmp_path / "journal.jsonl")
    found = [one for one in analyse_run.analyse_run(new_store, "R1") if one.kind == "own"]
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
            action="replace",
            rule="the results say so",
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
            action="monitor",
            rule="it is notable, not a problem",
        ),
    ]
    store_findings(new_store, "R1", found)
    assert [*map(finding_from_row, recorded_runs.findings(new_store, "R1"))] == found


def test_what_a_cause_says_already_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    rests = (ResultId("r1", "power"), ResultId("r2", "power"))
    found = [
        Finding("cause", PROBLEM, "on feed B", rests, about={"attribute": "power_feed", "value": "B"}),
        Finding("groups", NOTABLE, "two groups by power_feed", rests, about={"attribute": "power_feed"}),
        Finding("outlier", PROBLEM, "by leaf", rests, about={"attribute": "leaf"}),
        Finding("outlier", NOTABLE, "of other hosts", rests[:1], about={"attribute": "power_feed"}),
        Finding("change_point", PROBLEM, "feed A rose", (ResultId("r3", "power"),), about={"attribute": "power_feed"}),
        Finding(
            "change_point", PROBLEM, "in another step", (ResultId("r3", "fan"),), about={"attribute": "power_feed"}
        ),
        Finding("groups", NOTABLE, "of nothing", (ResultId("r3", "power"),)),
        Finding(
            "cause", PROBLEM, "pairs", (ResultId("r4", "mesh"), ResultId("s1", "routes")), figures={"failed_pairs": 9}
        ),
        Finding(
            "outlier", PROBLEM, "of pairs", (ResultId("r4", "mesh", "mtu.r1"), ResultId("r4", "", "mesh_v1.r1.ms"))
        ),
        Finding("outlier", PROBLEM, "of pairs and more", (ResultId("r4", "mesh", "mtu.r1"), ResultId("r4", "fan"))),
        Finding("outlier", NOTABLE, "of the context", (ResultId("r4", "", "mesh_v1.r1.ms"),)),
    ]
    monkeypatch.setattr(analyse_run, "_useful", lambda _run, _history: ["causes"])
    monkeypatch.setattr(analyse_run, "_findings", lambda _name, _run, _history: found)
    grades = {one.title: one.grade for one in analyse_run.analyse_history(NO_HISTORY)}
    assert grades == {
        "on feed B": PROBLEM, "two groups by power_feed": NOTE, "by leaf": PROBLEM, "of other hosts": NOTABLE,
        "feed A rose": NOTE, "in another step": PROBLEM, "of nothing": NOTABLE,
        "pairs": PROBLEM, "of pairs": NOTE, "of pairs and more": PROBLEM, "of the context": NOTABLE,
    }  # fmt: skip
