# SPDX-License-Identifier: GPL-3.0-or-later

"""Results that differ with the same inputs: how often, when they go into quarantine, and when they leave it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night
from rack_recipes.analysis import flakes
from rack_recipes.analysis.analyse_run import analyse_history
from rack_recipes.analysis.findings import NOTE, ResultId
from rack_recipes.analysis.flakes import flake_of
from rack_recipes.store.result import Result

CASES = json.loads(Path(__file__).with_name("flakes.json").read_text())
# What a letter of a case stands for: passed, failed, passed after a retry, not run, blocked, failed with other inputs,
# used again.
ENDS = {
    "p": ("passed", {"inputs": "one"}),
    "f": ("failed", {"inputs": "one"}),
    "r": ("passed", {"inputs": "one", "flake": True}),
    "b": ("blocked", {}),
    "w": ("waived", {"inputs": "one"}),
    "F": ("failed", {"inputs": "two"}),
    "u": ("passed", {"inputs": "one", "flake": True, "from": "20261101-220000-000001"}),
}
PLACE = ("link", "r1")


def night(letter: str) -> Night:
    other = {("other", "r1"): "passed"}
    if letter == "-":
        return Night(verdicts=other)
    verdict, fields = ENDS[letter]
    return Night(verdicts={**other, PLACE: verdict}, fields={PLACE: fields})


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_flakes_of_a_run(case: dict[str, Any], history_of: Historian):
    history = history_of([night(letter) for letter in case["nights"]])
    found = [*flakes.findings(history.run, history)]
    assert [finding.title for finding in found] == ([case["title"]] if case["title"] else [])
    for finding in found:
        assert finding.grade == case["grade"]
        assert finding.advice == case.get("advice", finding.advice)
        assert finding.about["quarantine"] is case["quarantine"]
        assert finding.explains == case.get("explains", 0)
        assert finding.results == (ResultId("r1", "link"),)


def test_a_finding_has_both_intervals(history_of: Historian):
    history = history_of([night(letter) for letter in "pprppppppf"])
    [finding] = flakes.findings(history.run, history)
    figures = dict(finding.figures)
    assert figures.pop("wilson") == pytest.approx([0.0567, 0.5098], abs=1e-4)
    assert figures.pop("clopper_pearson") == pytest.approx([0.0252, 0.5561], abs=1e-4)
    counted = {"failed": 2, "runs": 10, "episodes": 2, "rate": 0.2}
    assert figures == {**counted, "passes_in_a_row": 0, "passes_needed": 14}


def test_a_result_that_is_used_again_is_no_new_one(history_of: Historian):
    history = history_of([night(letter) for letter in "rupuupuuppppr"])
    [finding] = flakes.findings(history.run, history)
    assert (finding.figures["failed"], finding.figures["runs"]) == (2, 8)


def test_a_waived_failure_counts_as_one(history_of: Historian):
    failed, waived = (history_of([night(letter) for letter in f"pprppppp{end}{end}"]) for end in "fw")
    assert [one.figures for one in flakes.findings(waived.run, waived)] == [
        one.figures for one in flakes.findings(failed.run, failed)
    ]


def test_what_was_a_flake_is_followed_until_it_has_passed_often_enough(history_of: Historian):
    """A flake that passes now is known from the results of earlier runs, whether anybody has analysed them or not."""
    history = history_of([night(letter) for letter in "rrrr" + 9 * "p"])
    [finding] = flakes.findings(history.run, history)
    assert finding.grade == NOTE
    assert finding.title == "link on r1 is no flake any more: it passed at the first try in the last 9 runs"
    assert finding.advice == "End its quarantine."


def test_two_bad_runs_that_are_over_are_not_told_for_ever(history_of: Historian):
    history = history_of([night(letter) for letter in "prprpp"])
    assert not [*flakes.findings(history.run, history)]


def test_a_flake_of_three_nights_in_ten_is_found_on_a_night_on_which_it_passes(history_of: Historian):
    chance = random.Random(5)
    letters = ["f" if chance.random() < 0.3 else "p" for _night in range(29)] + ["p"]
    history = history_of([night(letter) for letter in letters])
    [finding] = flakes.findings(history.run, history)
    assert finding.title.startswith(f"link on r1 is a flake: {letters.count('f')} of 30 runs failed")
    assert finding.about["quarantine"]


def test_many_flakes_are_counted(history_of: Historian):
    places = [(f"link{number}", "r1") for number in range(flakes.MOST_FLAKES + 2)]
    retried = {place: {"inputs": "one", "flake": True} for place in places}
    last = Night(verdicts=dict.fromkeys(places, "passed"), fields=retried)
    history = history_of([last])
    found = [*flakes.findings(history.run, history)]
    assert len(found) == flakes.MOST_FLAKES + 1
    assert found[-1].title == "2 more results are flakes"


def test_flakes_that_are_alike_are_one_finding_behind_what_failed(history_of: Historian):
    places = [("link", f"r{number}") for number in range(1, 13)]
    fields = {place: {"inputs": "one", "flake": True} for place in places}
    verdicts = {**dict.fromkeys(places, "passed"), ("fan", "r1"): "failed", ("disk", "r2"): "failed"}
    history = history_of([Night(verdicts=verdicts, fields=fields)])
    found = [one.title for one in analyse_history(history)]
    told = ["2 failures have no common cause", "link on r1, r2, r3, r4 and 8 more passed only after a retry"]
    assert [title for title in found if "cause" in title or "retry" in title] == told


ENDED = st.fixed_dictionaries(
    {
        "verdict": st.sampled_from(["passed", "failed"]),
        "flake": st.booleans(),
        "inputs": st.sampled_from([None, "one", "two"]),
    }
)


@given(st.lists(ENDED, max_size=40))
def test_a_flake_has_both_ends_with_the_same_inputs_or_a_retry(results: list[Result]):
    flake = flake_of(results)
    mixed = any(
        one["inputs"] and one["inputs"] == other["inputs"] and one["verdict"] != other["verdict"]
        for one in results
        for other in results
    )
    is_retried = any(row["flake"] for row in results)
    if flake is None:
        assert not is_retried
    else:
        assert mixed or is_retried
        assert flake.episodes >= (1 if is_retried else 2)
        assert 0 <= flake.failed <= flake.runs
        assert 0 in (flake.failures_in_a_row, flake.passes_in_a_row)
