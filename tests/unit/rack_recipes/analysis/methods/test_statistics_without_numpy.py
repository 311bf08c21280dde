# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import astuple
from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb, inf, isnan, log10

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rack_recipes.analysis.methods.statistics_without_numpy import (
    beta_quantile,
    compute_moments,
    hypergeometric_tail,
    incomplete_beta,
    percentile_of_sorted,
    quantile_of_sorted,
    student_quantile,
    student_two_sided,
    values_for_percentile,
)

LEVELS = [(1e6, 1.0), (1e9, 1.0), (1e12, 1.0), (1e8, 0.001)]
numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 6))


def series(level: float, spread: float) -> list[float]:
    return (level + spread * np.random.default_rng(7).normal(size=1001)).tolist()


def exact(values: list[float]) -> tuple[Fraction, Fraction]:
    """Mean and variance of the values alone, without any rounding."""
    fractions = [Fraction(value) for value in values]
    mean = sum(fractions) / len(fractions)
    return mean, sum((value - mean) ** 2 for value in fractions) / len(fractions)


def exact_skewness(values: list[float]) -> Fraction:
    n = len(values)
    mean, variance = exact(values)
    cubes = sum((Fraction(value) - mean) ** 3 for value in values)
    sample = variance * n / (n - 1)
    with localcontext() as context:
        context.prec = 60
        deviation = Fraction((Decimal(sample.numerator) / Decimal(sample.denominator)).sqrt())
    return Fraction(n, (n - 1) * (n - 2)) * cubes / deviation**3


def digits(found: float, true: Fraction) -> float:
    """How many digits are right."""
    wrong = abs((Fraction(found) - true) / true)
    return -log10(wrong) if wrong else inf


@pytest.mark.parametrize(("level", "spread"), LEVELS)
def test_mean_and_variance_have_all_their_digits(level: float, spread: float):
    values = series(level, spread)
    mean, variance = exact(values)
    found = compute_moments(values)
    assert digits(found.mean, mean) > 15.5
    assert digits(found.variance, variance * 1001 / 1000) > 15.4


@pytest.mark.parametrize(("level", "spread"), LEVELS)
def test_skewness_has_its_digits(level: float, spread: float):
    values = series(level, spread)
    assert digits(compute_moments(values).skewness, exact_skewness(values)) > 13


def test_nist_certifies_mean_and_deviation():
    """NumAcc4 of the Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/univ/numacc4.html."""
    found = compute_moments([10000000.2, *[10000000.1, 10000000.3] * 500])
    assert found.count == 1001
    assert found.mean == pytest.approx(10000000.2, rel=1e-15)
    assert found.variance == pytest.approx(0.01, rel=2e-8)  # .1 is no binary number


def test_what_a_few_values_have():
    found = compute_moments([1, 2, 3, 4, 10])
    assert found.count == 5
    assert found.mean == 4
    assert found.median == 3
    assert found.variance == 12.5
    assert found.mad == 1
    assert found.skewness == pytest.approx(1.6970562748477143, rel=1e-15)  # Excel's SKEW
    assert (found.least, found.greatest) == (1, 10)


def test_what_too_few_values_do_not_have_is_nan():
    count, *others = astuple(compute_moments([]))
    assert count == 0
    assert all(map(isnan, others))
    one, two = compute_moments([3.5]), compute_moments([3, 4])
    assert (one.mean, one.median, one.mad) == (3.5, 3.5, 0)
    assert all(map(isnan, (one.variance, one.skewness, two.skewness)))
    assert (two.variance, two.median) == (0.5, 3.5)


@pytest.mark.parametrize("value", [0.1, 1e12 + 0.3, 1e-300, -7.7])
@pytest.mark.parametrize("count", [2, 3, 10, 1000])
def test_values_that_are_all_alike_have_no_variance(value: float, count: int):
    found = compute_moments([value] * count)
    assert (found.mean, found.median, found.variance) == (value, value, 0)
    assert isnan(found.skewness)


def test_great_and_small_numbers_are_no_problem():
    assert compute_moments([1e150, -1e150]).variance == pytest.approx(2e300)
    assert compute_moments([1e-160, 3e-160, 8e-160]).skewness == pytest.approx(compute_moments([1, 3, 8]).skewness)


@given(st.lists(numbers, min_size=3, max_size=30))
def test_pandas_says_the_same(values):
    found, frame = compute_moments(values), pd.Series(values)
    assert found.mean == pytest.approx(frame.mean(), rel=1e-9, abs=1e-9)
    assert found.median == frame.median()
    assert found.variance == pytest.approx(frame.var(), rel=1e-6, abs=1e-9)
    if found.variance and found.variance > 1e-3:
        assert found.skewness == pytest.approx(frame.skew(), rel=1e-3, abs=1e-3)


@given(st.lists(numbers, min_size=1, max_size=30))
def test_the_mean_is_between_least_and_greatest(values):
    found = compute_moments(values)
    assert min(values) - 1e-9 <= found.mean <= max(values) + 1e-9
    assert found.mad == np.median(np.abs(values - np.median(values)))


@given(st.lists(numbers, min_size=1, max_size=30), st.floats(0, 1))
def test_numpy_has_the_same_percentiles(values, share):
    assert quantile_of_sorted(sorted(values), share) == pytest.approx(
        float(np.quantile(values, share)), rel=1e-12, abs=1e-12
    )


@pytest.mark.parametrize(("percent", "least"), [(95, 20), (5, 20), (99, 100), (99.9, 1000), (75, 4), (50, 1), (90, 10)])
def test_a_percentile_needs_values_beyond_it(percent: float, least: int):
    assert values_for_percentile(percent) == least
    assert percentile_of_sorted(range(least - 1), percent) is None
    assert percentile_of_sorted(range(least), percent) is not None


def test_percentiles_are_of_type_7():
    assert quantile_of_sorted([1, 2, 3, 4, 10], 0.9) == pytest.approx(7.6)  # type 8: 10; the module statistics: 12.4
    assert percentile_of_sorted(range(1, 101), 95) == pytest.approx(95.05)
    assert percentile_of_sorted([1, 4], 50) == 2.5


@pytest.mark.parametrize("a", [0.5, 1, 2.5, 10, 500])
@pytest.mark.parametrize("b", [0.5, 3, 80])
@pytest.mark.parametrize("x", [1e-9, 0.01, 0.3, 0.5, 0.77, 0.999])
def test_the_incomplete_beta_function_is_scipy_s(a: float, b: float, x: float):
    assert incomplete_beta(a, b, x) == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-10, abs=1e-14)


def test_the_ends_of_the_incomplete_beta_function():
    assert [incomplete_beta(2, 3, x) for x in (-0.1, 0, 1, 1.1)] == [0, 0, 1, 1]


@pytest.mark.parametrize("freedom", [1, 2, 9, 38, 998])
@pytest.mark.parametrize("t", [0.0, 0.5, 2.6, 8.0, 40.0])
def test_tails_of_student_are_scipy_s(t: float, freedom: int):
    assert student_two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-9, abs=1e-200)


@pytest.mark.parametrize("freedom", [1, 2, 9, 49, 1000])
@pytest.mark.parametrize("probability", [0.6, 0.975, 0.995, 0.9999])
def test_quantiles_of_student_are_scipy_s(probability: float, freedom: int):
    assert student_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-9)


def test_a_quantile_at_the_end():
    assert student_quantile(1, 3) == inf


@pytest.mark.parametrize(("a", "b"), [(1, 10), (3, 8), (30, 1)])
@pytest.mark.parametrize("probability", [0.005, 0.025, 0.5, 0.975])
def test_quantiles_of_beta_are_scipy_s(probability: float, a: int, b: int):
    assert beta_quantile(probability, a, b) == pytest.approx(stats.beta.ppf(probability, a, b), rel=1e-9)


CASES = [(2, 200, 2, 10), (3, 200, 3, 10), (6, 200, 10, 10), (1, 8, 3, 3), (3, 8, 3, 3), (40, 1000, 90, 100)]


@pytest.mark.parametrize("case", CASES)
def test_the_hypergeometric_tail_is_exact(case):
    least, everything, marked, drawn = case
    ways = sum(
        comb(marked, count) * comb(everything - marked, drawn - count) for count in range(least, min(marked, drawn) + 1)
    )
    true = float(Fraction(ways, comb(everything, drawn)))
    assert hypergeometric_tail(*case) == pytest.approx(true, rel=1e-11)


def test_two_of_two_on_one_leaf_are_too_weak_and_three_of_three_are_not():
    assert hypergeometric_tail(2, 200, 2, 10) == pytest.approx(0.00226, abs=1e-5)
    assert hypergeometric_tail(3, 200, 3, 10) == pytest.approx(9.14e-5, abs=1e-7)


@pytest.mark.parametrize("case", [(0, 10, 3, 4), (1, 10, 8, 4), (2, 10, 8, 4)])
def test_what_must_be_is_certain(case):
    assert hypergeometric_tail(*case) == 1


def test_what_cannot_be_has_no_chance():
    assert hypergeometric_tail(4, 10, 3, 5) == 0


def test_a_hundred_thousand_results():
    assert hypergeometric_tail(60, 100_000, 500, 2000) == pytest.approx(
        float(stats.hypergeom.sf(59, 100_000, 500, 2000)), rel=1e-6
    )
