# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of new limits: what it may say, and what is wrong with it and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS, judge
from rack_recipes.analysis.rejudge import count_verdicts, rejudge
from rack_recipes.errors import UsageError
from rack_recipes.recipe.limits_file import NewLimit, read_limits

pytestmark = pytest.mark.usefixtures("own_folder")

GOOD = """\
limits:
  - {step: fans, measurement: noise, unit: dB, max: 80, warn: {max: 70}}
  - {measurement: "*_errors", eq: 0}
"""


def test_all_that_a_file_can_say():
    Path("l.yml").write_text(GOOD)
    found = read_limits("l.yml")
    assert found.limits == (
        NewLimit("fans", "noise", "dB", {"max": 80, "warn": {"max": 70}}),
        NewLimit("*", "*_errors", None, {"eq": 0}),
    )
    assert (found.path, found.digest[:7]) == ("l.yml", "sha256:")
    assert len(found.data["limits"]) == 2


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"step": "fans", "name": "noise", "unit": "dB"}, True),
        ({"step": "fans[1]", "planned": "fans", "name": "noise", "unit": "dB"}, True),
        ({"step": "fans[1]", "planned": "other", "name": "noise", "unit": "dB"}, False),
        ({"step": "fans", "name": "noise", "unit": None}, False),
        ({"step": "fans", "name": "speed", "unit": "dB"}, False),
    ],
)
def test_the_measurements_that_limits_are_for(row: dict[str, Any], expected: bool):
    assert NewLimit("fans", "noise", "dB", {"max": 80}).is_for(row) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "l.yml:1:1: expected a mapping with limits, got an empty file"),
        ("limit: []", "l.yml:1:1: expected one of limits, learned, got 'limit' (did you mean 'limits'?)"),
        ("limits: []", "l.yml:1:9: expected a list of limits, got an empty list"),
        ("limits: [a]", "l.yml:1:10: expected limits of a measurement, such as {step: fans, measurement: noise,"),
        ("limits: [{step: a, max: 1}]", "l.yml:1:10: expected the name of a measurement, got none"),
        ("limits: [{measurement: a}]", f"l.yml:1:10: expected a limit: {', '.join(LIMITS)}, got none"),
        ("limits: [{measurement: a, max: 1, at_least: 1}]", "got 'at_least' (did you mean 'min'?)"),
        ("limits: [{measurement: 1, max: 1}]", "l.yml:1:24: expected text, got the number 1"),
        ("limits: [{measurement: a, max: high}]", "l.yml:1:32: expected a number, got 'high'"),
        ("limits: [{measurement: a, max: true}]", "l.yml:1:32: expected a number, got true"),
        ("limits: [{measurement: a, one_of: 1}]", "l.yml:1:35: expected a list, got the number 1"),
        ("limits: [{measurement: a, matches: 1}]", "l.yml:1:36: expected a text, got the number 1"),
        ("limits: [{measurement: a, within: 1}]", "l.yml:1:35: expected a mapping, got the number 1"),
        ("limits: [{measurement: a, within: {of: 1}}]", "l.yml:1:35: expected 'percent' or 'by' in within, got"),
        ("limits: [{measurement: a, min: 2, max: 1}]", "l.yml:1:40: expected at least 2, the min beside it, got"),
        ("limits: [{measurement: a, matches: '('}]", "l.yml:1:36: expected a regular expression, got '('"),
        ("limits: [{measurement: a, max: 1, warn: 1}]", "l.yml:1:41: expected limits, such as {max: 75}, got"),
        ("limits: [{measurement: a, max: 1, warn: {max: x}}]", "l.yml:1:47: expected a number, got 'x'"),
        ("limits: [{measurement: a, max: 1, warn: {maxx: 1}}]", "got 'maxx' (did you mean 'max'?)"),
        ("limits: [{measurement: a, max: 1, warn: {max: 2}}]", "l.yml:1:47: expected at most 1, the hard bound"),
        ("limits: [", "l.yml:2:1: expected a value, got the end of the file"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str):
    Path("l.yml").write_text(text)
    with pytest.raises(UsageError) as refusal:
        read_limits("l.yml")
    assert said in str(refusal.value)


def test_a_missing_file():
    with pytest.raises(UsageError, match=r"^gone\.yml: cannot be read: No such file or directory$"):
        read_limits("gone.yml")


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
