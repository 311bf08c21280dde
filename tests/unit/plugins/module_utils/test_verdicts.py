# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of verdicts, and the lists that are derived from it.

Which results waivers cover, and what these become.
"""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import verdicts
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS, WAIVED, matches_wildcard, waive
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


@table("derived", "expected")
def test_the_lists_that_others_use(derived, expected):
    assert sorted(getattr(verdicts, derived)) == expected.split()


def test_the_order_and_that_any_other_word_comes_first():
    assert " ".join(VERDICTS) == "error failed unreachable blocked marginal waived skipped cached passed"
    assert sorted([*reversed(VERDICTS), "odd"], key=verdicts.rank) == ["odd", *VERDICTS]


def test_what_was_not_tried_has_no_time_of_its_own():
    assert not verdicts.NOT_TRIED & verdicts.RAN
    assert verdicts.COMPLETE <= verdicts.RAN & verdicts.PASSING


def waiver(step="a", number=1, **fields):
    return {"id": f"id{number}", "step": step, "verdicts": ["failed", "error"], "words": f"waived {number}", **fields}


def measured(**verdicts):
    return [{"name": name, "verdict": verdict} for name, verdict in verdicts.items()]


def test_what_a_covered_result_becomes():
    waived = waive([waiver()], ["a"], "failed", "too hot")
    assert (waived.verdict, waived.reason) == ("waived", "waived 1; failed: too hot")
    assert waived.record == {"verdict": "failed", "reason": "too hot", "by": ["id1"]}
    assert waive([waiver()], ["a"], "error", "").reason == "waived 1; error: no reason given"
    assert VERDICTS[WAIVED].passes


@pytest.mark.parametrize("verdict", [name for name in VERDICTS if name not in ("failed", "error")])
def test_only_its_verdicts_are_covered(verdict):
    assert waive([waiver()], ["a"], verdict, "r") is None


def test_unreachable_is_covered_where_the_waiver_says_so():
    found = [waiver(verdicts=["unreachable"])]
    assert waive(found, ["a"], "unreachable", "r").verdict == "waived"
    assert waive(found, ["a"], "failed", "r") is None


@table("pattern", "names", "expected")
def test_steps_and_instances(pattern, names, expected):
    assert (waive([waiver(pattern)], names, "failed", "r") is not None) is expected


@table("waived", "checks", "by")
def test_a_measurement_is_covered_only_where_all_that_failed_are(waived, checks, by):
    found = [waiver(number=number, measurement=name) for number, name in enumerate(waived)]
    outcome = waive(found, ["a"], "failed", "r", measured(**checks))
    assert (outcome.record["by"] if outcome else None) == by


def test_an_error_is_no_measurement_that_failed():
    assert waive([waiver(measurement="temp")], ["a"], "error", "r", measured(temp="failed")) is None


def test_what_was_only_measured_has_no_verdict():
    assert waive([waiver(measurement="temp")], ["a"], "failed", "r", [{"name": "temp", "value": 1}]) is None


def test_a_waiver_of_the_whole_result_counts_before_those_of_measurements():
    found = [waiver(number=1, measurement="temp"), waiver(number=2), waiver(number=3)]
    assert waive(found, ["a"], "failed", "r", measured(temp="failed")).record["by"] == ["id2"]


def test_what_passes_have_lifted_is_covered_no_more():
    found = [waiver(lifted=["a[1]"])]
    assert waive(found, ["a[1]", "a"], "failed", "r") is None
    assert waive(found, ["a[2]", "a"], "failed", "r") is not None


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [("a.c", "abc", False), ("a[b]", "ab", False), ("a*c", "a\nc", True), ("*.max", "x.max", True), ("", "", True)],
)
def test_only_the_star_is_special(pattern, name, expected):
    assert matches_wildcard(pattern, name) is expected
