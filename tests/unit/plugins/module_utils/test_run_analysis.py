# SPDX-License-Identifier: GPL-3.0-or-later

"""What a scriptlet that analyses its run reads, and which findings it can add."""

from __future__ import annotations

import re

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.run_analysis import (
    HISTORY_RUNS,
    LONGEST_TITLE,
    MOST_RESULTS,
    RunAnalysis,
)

RESULTS = [{"host": "r1", "step": "a", "verdict": "failed"}, {"host": "", "step": "total", "verdict": "passed"}]
ROWS = [{"run": f"R{run}", "host": host, "value": run} for run in range(3) for host in ("r1", "r2")]
WHOLE = {
    "title": "r1 is slow",
    "grade": "problem",
    "results": [["r1", "a"], ["r1", "a", "rate"]],
    "figures": {"rate": 3},
    "advice": "swap the cable",
    "method": "by eye",
}


@pytest.fixture
def analysis():
    return RunAnalysis(RESULTS, {"rate": ROWS, "none": []})


def test_what_is_read_is_a_copy(analysis):
    analysis.results()[0]["verdict"] = "passed"
    analysis.history("rate")[0]["value"] = 99
    assert analysis.results() == RESULTS
    assert analysis.history("rate") == ROWS


def test_the_last_runs_with_values(analysis):
    assert [row["run"] for row in analysis.history("rate", last=2)] == ["R1", "R1", "R2", "R2"]
    assert analysis.history("none") == []


@pytest.mark.parametrize("last", [0, -1, HISTORY_RUNS + 1])
def test_no_more_runs_can_be_asked_for_than_there_are(analysis, last):
    with pytest.raises(ValueError, match=f"there are at most {HISTORY_RUNS} runs, got last={last}"):
        analysis.history("rate", last)


def test_only_what_is_declared_can_be_read(analysis):
    with pytest.raises(ValueError, match="history of x is not here: add it to reads_history, which has none, rate"):
        analysis.history("x")
    with pytest.raises(ValueError, match=r"which has none$"):
        RunAnalysis(RESULTS, {}).history("x")
    with pytest.raises(ValueError, match="add reads_results = True"):
        RunAnalysis(None, {"rate": ROWS}).results()


def test_a_finding_as_it_is_recorded(analysis):
    assert analysis.finding(WHOLE) == WHOLE
    only = {"results": [], "grade": "notable", "figures": {}, "advice": "", "method": ""}
    assert analysis.finding({"title": "r1 is slow"}) == {"title": "r1 is slow", **only}


def test_a_row_of_the_results_names_its_result(analysis):
    found = analysis.finding({"title": "x", "results": [*RESULTS, ("r1", "a", "rate"), {**RESULTS[0], "name": "rate"}]})
    assert found["results"] == [["r1", "a"], ["", "total"], ["r1", "a", "rate"], ["r1", "a", "rate"]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text", "a finding needs a title, got 'text'"),
        ({}, "a finding needs a title, got {}"),
        ({"title": " "}, "a finding needs a title"),
        ({"title": 3}, "a finding needs a title"),
        ({"title": "x" * 501}, f"a finding's title has 501 characters: {LONGEST_TITLE} at most"),
        ({"title": "x", "advise": "y", "kind": "z"}, "finding 'x': it has no field advise, kind, only advice, figures"),
        ({"title": "x", "grade": "bad"}, "finding 'x': grade must be one of problem, notable, note, got 'bad'"),
        ({"title": "x", "figures": [1]}, "finding 'x': figures must be values by name, got [1]"),
        ({"title": "x", "figures": {"a": float("nan")}}, "finding 'x': figures"),
        ({"title": "x", "advice": 3}, "a finding's advice must be text, got 3"),
        ({"title": "x", "results": "r1"}, f"results must be a list of at most {MOST_RESULTS} results"),
        ({"title": "x", "results": [["r1", "a"]] * 10_001}, f"results must be a list of at most {MOST_RESULTS}"),
        ({"title": "x", "results": [["r1"]]}, "finding 'x': a result is a row of ctx.results(), or [host, step], got"),
        ({"title": "x", "results": [["r1", 3]]}, "or [host, step], got ['r1', 3]"),
        ({"title": "x", "results": [{"host": "r1"}]}, "or [host, step], got ['r1', None]"),
        ({"title": "x", "results": [["r9", "a"]]}, "finding 'x': there is no result of 'a' on 'r9'"),
        ({"title": "x", "results": [["", "a"]]}, "finding 'x': there is no result of 'a' on 'the run'"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_malformed_finding(analysis, given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        analysis.finding(given)


def test_without_the_results_nobody_can_tell_whether_one_is_there():
    assert RunAnalysis(None, {"rate": ROWS}).finding({"title": "x", "results": [["r9", "a"]]})["results"] == [
        ["r9", "a"]
    ]
