# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rack_recipes.analysis.methods.intervals_and_multiple_tests import (
    Interval,
    adjust_p_values,
    chance_beyond,
    clopper_pearson,
    greatest_kept_p,
    is_broken,
    mark_kept_tests,
    passes_to_lift,
    prediction_interval,
    wilson,
)

# The 15 tests of Benjamini and Hochberg's own example (1995, section 3.1): four are kept at .05.
THROMBOLYSIS = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]


def test_the_example_of_the_authors():
    assert mark_kept_tests(THROMBOLYSIS, 0.05) == [True] * 4 + [False] * 11
    assert greatest_kept_p(THROMBOLYSIS, 0.05) == 0.0095


def test_nothing_is_kept_of_nothing():
    assert mark_kept_tests([]) == []
    assert greatest_kept_p([], 0.05) == 0
    assert greatest_kept_p([0.3, 0.9], 0.05) == 0


def test_the_order_of_tests_does_not_matter():
    order = np.random.default_rng(1).permutation(15)
    adjusted = np.array(adjust_p_values(THROMBOLYSIS))
    assert adjust_p_values(np.array(THROMBOLYSIS)[order].tolist()) == adjusted[order].tolist()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_scipy_adjusts_alike(p):
    np.testing.assert_allclose(adjust_p_values(p), stats.false_discovery_control(p), rtol=1e-12)


@pytest.mark.parametrize(("p", "is_kept"), [(0.05, True), (0.0500001, False)])
def test_one_test_alone_is_judged_as_always(p: float, is_kept: bool):
    assert mark_kept_tests([p]) == [is_kept]


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


def test_an_interval_holds_its_ends():
    assert prediction_interval([3, 3, 3]) == Interval(3, 3)


def test_twice_as_far_as_ever_is_eight_times_rarer():
    assert chance_beyond(3.0, 6.0, 19) == pytest.approx(1 / 160)
    assert chance_beyond(3.0, 3.0, 19) == 1
    assert chance_beyond(0.0, 1.0, 19) == 0
