# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import judge
from rack_recipes.analysis.rejudge import NewLimit, count_verdicts, rejudge

AT_MOST_80 = NewLimit("*", "temp", "C", {"max": 80, "warn": {"max": 75}})


def row(value: Any, verdict: str | None = None, **fields: Any) -> dict[str, Any]:
    place = {"host": "r1", "step": "heat", "n": 1, "name": "temp", "unit": "C"}
    return {**place, "value": value, "verdict": verdict, **fields}


@pytest.mark.parametrize(
    ("value", "before", "after", "changed", "worse"),
    [
        (70, "passed", "passed", False, False),
        (78, "passed", "marginal", True, False),
        (90, "passed", "failed", True, True),
        (90, "failed", "failed", False, False),
        (70, "failed", "passed", True, False),
        (78, "marginal", "marginal", False, False),
        (70, None, "passed", False, False),
        (90, None, "failed", True, True),
        ("********", "passed", "error", True, True),
    ],
)
def test_what_a_new_limit_changes(value, before, after: str, changed: bool, worse: bool):
    (judged,) = rejudge([row(value, before)], [AT_MOST_80])
    assert (judged.before, judged.after, judged.has_changed, judged.is_worse) == (before, after, changed, worse)
    assert bool(judged.why) is (after != "passed")


def test_what_is_kept_of_a_change():
    (judged,) = rejudge([row(90, "passed")], [AT_MOST_80])
    assert judged.to_data() == {
        "host": "r1", "step": "heat", "n": 1, "name": "temp", "value": 90, "unit": "C", "before": "passed",
        "after": "failed", "why": "temp: 90 C is above max 80 C",
    }  # fmt: skip
    assert (judged.distance, judged.limits) == (-10, {"max": 80, "warn": {"max": 75}})


def test_what_cannot_be_compared_says_why():
    (judged,) = rejudge([row(None, "passed")], [AT_MOST_80])
    assert (judged.after, judged.why) == ("error", "temp: max needs a number, got null")


def test_the_first_limit_counts_and_others_are_left_alone():
    other = row(1, name="fan")
    judged = rejudge([row(90), other], [AT_MOST_80, NewLimit("*", "temp", None, {"min": 0})])
    assert [one.after for one in judged] == ["failed"]
    assert count_verdicts(judged) == {"failed": 1}


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_a_judgement_is_that_of_the_executor(value: float, bound: int):
    (judged,) = rejudge([row(value)], [NewLimit("*", "temp", "C", {"max": bound})])
    assert (judged.after, judged.distance) == (judge({"max": bound}, value)[0], judge({"max": bound}, value)[2])
