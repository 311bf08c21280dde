# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rack_recipes.analysis.methods.intervals_and_multiple_tests import (
    Interval,
    clopper_pearson,
    compare_with_earlier,
    is_broken,
    passes_to_lift,
    prediction_interval,
    wilson,
)

tried = st.integers(1, 60).flatmap(lambda tries: st.tuples(st.integers(0, tries), st.just(tries)))


@settings(max_examples=40)
@given(tried, st.sampled_from([0.8, 0.95, 0.99]))
def test_intervals_of_rates_are_scipy_s(case, confidence):
    result = stats.binomtest(*case)
    for method, ours in (("wilson", wilson), ("exact", clopper_pearson)):
        theirs = result.proportion_ci(confidence, method=method)
        assert ours(*case, confidence) == pytest.approx((theirs.low, theirs.high), rel=1e-8, abs=1e-12)


def test_no_failure_of_ten_may_still_be_a_third():
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert clopper_pearson(0, 10) == pytest.approx((0, 0.3085), abs=1e-4)


def test_the_interval_that_decides_is_the_wider_one():
    assert wilson(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-4)
    assert clopper_pearson(1, 10) == pytest.approx((0.0025, 0.4450), abs=1e-4)


@pytest.mark.parametrize(
    ("rate", "confidence", "passes"),
    [(0.1, 0.95, 29), (0.1, 0.8, 16), (0.2, 0.95, 14), (0.2, 0.8, 8), (0.05, 0.95, 59), (0.05, 0.8, 32)],
)
def test_passes_that_end_a_quarantine(rate: float, confidence: float, passes: int):
    assert passes_to_lift(rate, confidence) == passes


@pytest.mark.parametrize(
    ("failures", "rate", "broken"), [(2, 0.1, False), (3, 0.1, True), (2, 0.09, True), (6, 0.5, False), (7, 0.5, True)]
)
def test_a_flake_that_fails_again_and_again_is_broken(failures: int, rate: float, broken: bool):
    assert is_broken(failures, rate) is broken


def test_one_value_against_ten():
    earlier = [10.0, 10.2, 9.9, 10.1, 10.0, 9.8, 10.3, 10.0, 9.9, 10.1]
    spread = stats.tstd(earlier) * 1.1**0.5 * stats.t.ppf(0.995, 9)
    assert prediction_interval(earlier) == pytest.approx((10.03 - spread, 10.03 + spread))


def test_fewer_than_three_values_expect_nothing():
    assert prediction_interval([1, 2]) is None
    assert prediction_interval([1, 2, 3]) == pytest.approx((-9.4602, 13.4602), abs=1e-4)


HISTORY = [10.0, 10.2, 9.9, 10.1, 10.0]


@pytest.mark.parametrize(
    ("value", "better", "target", "meaning"),
    [
        (20, "", None, "changed"),
        (20, "higher", None, "better"),
        (0, "higher", None, "worse"),
        (20, "lower", None, "worse"),
        (0, "lower", None, "better"),
        (20, "target", 18, "better"),
        (20, "target", 10, "worse"),
        (12, "target", None, "worse"),
        (10.3, "lower", None, ""),
    ],
)
def test_what_a_value_outside_means(value: float, better: str, target: float | None, meaning: str):
    found = compare_with_earlier(value, HISTORY, better, target)
    assert found.meaning == meaning
    assert (found.value, found.median) == (value, 10.0)
    assert found.difference == pytest.approx(value - 10)


def test_with_two_earlier_values_there_is_only_a_difference():
    found = compare_with_earlier(99, [10, 12], "lower")
    assert (found.difference, found.expected, found.meaning) == (88, None, "")


def test_an_interval_holds_its_ends():
    bounds = prediction_interval([3, 3, 3])
    assert bounds == Interval(3, 3)
    assert compare_with_earlier(3, [3, 3, 3], "lower").meaning == ""
    assert compare_with_earlier(3.001, [3, 3, 3], "lower").meaning == "worse"
