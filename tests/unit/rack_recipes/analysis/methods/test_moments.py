# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import inf, log10, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.analysis.methods.moments_and_spread import (
    GroupMoments,
    group_moments,
    interpolated,
    mad,
    moments,
    percentile,
)
from rack_recipes.analysis.methods.statistics_without_numpy import values_for_percentile

LEVELS = [(1e6, 1.0), (1e9, 1.0), (1e12, 1.0), (1e8, 0.001)]
numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 6))


def series(level: float, spread: float) -> list[float]:
    return (level + spread * np.random.default_rng(7).normal(size=1001)).tolist()


def exact(values: list[float]) -> tuple[Fraction, Fraction]:
    """Mean and variance of the population, without any rounding."""
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


def digits(found: float | None, true: Fraction) -> float:
    """How many digits are right."""
    assert found is not None
    wrong = abs((Fraction(found) - true) / true)
    return -log10(wrong) if wrong else inf


@pytest.mark.parametrize(("level", "spread"), LEVELS)
def test_mean_and_variance_have_all_their_digits(level: float, spread: float):
    values = series(level, spread)
    mean, variance = exact(values)
    found = moments(values)
    assert digits(found.mean, mean) > 15.5
    assert digits(found.population_variance, variance) > 15.4
    assert digits(found.variance, variance * 1001 / 1000) > 15.4


@pytest.mark.parametrize(("level", "spread"), LEVELS)
def test_skewness_has_its_digits(level: float, spread: float):
    values = series(level, spread)
    assert digits(moments(values).skewness, exact_skewness(values)) > 13


def test_groups_that_lie_among_each_other_have_all_their_digits():
    values = [series(level, spread) for level, spread in LEVELS]
    mixed = [value for row in zip(*values, strict=True) for value in row]
    found = group_moments(mixed, list(range(4)) * 1001, 4)
    for place, own in enumerate(values):
        mean, variance = exact(own)
        assert digits(found.mean[place], mean) > 15.5
        assert digits(found.population_variance[place], variance) > 15.4


def test_nist_certifies_mean_and_deviation():
    """NumAcc4 of the Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/univ/numacc4.html."""
    found = moments([10000000.2, *[10000000.1, 10000000.3] * 500])
    assert found.count == 1001
    assert found.mean == pytest.approx(10000000.2, rel=1e-15)
    assert found.variance == pytest.approx(0.01, rel=2e-8)  # .1 is no binary number


def test_what_a_few_values_have():
    found = moments([1, 2, 3, 4, 10])
    assert found.count == 5
    assert found.mean == 4
    assert found.median == 3
    assert found.variance == 12.5
    assert found.population_variance == 10
    assert found.mad == 1
    assert found.skewness == pytest.approx(1.6970562748477143, rel=1e-15)  # Excel's SKEW
    assert (found.least, found.greatest) == (1, 10)


def test_what_too_few_values_do_not_have_is_none():
    nothing = moments([])
    assert nothing.count == 0
    assert {getattr(nothing, name) for name in GroupMoments.__slots__ if name != "count"} == {None}
    one, two = moments([3.5]), moments([3, 4])
    assert (one.mean, one.median, one.mad, one.population_variance) == (3.5, 3.5, 0, 0)
    assert (one.variance, one.skewness) == (None, None)
    assert (two.variance, two.median, two.skewness) == (0.5, 3.5, None)


@pytest.mark.parametrize("value", [0.1, 1e12 + 0.3, 1e-300, -7.7])
@pytest.mark.parametrize("count", [2, 3, 10, 1000])
def test_values_that_are_all_alike_have_no_variance(value: float, count: int):
    found = moments([value] * count)
    assert (found.mean, found.median, found.variance, found.population_variance) == (value, value, 0, 0)
    assert found.skewness is None


def test_a_group_may_be_empty():
    found = group_moments([1, 3, 8], [2, 2, 0], 4)
    assert found.count.tolist() == [1, 0, 2, 0]
    np.testing.assert_array_equal(found.mean, [8, nan, 2, nan])
    np.testing.assert_array_equal(found.variance, [nan, nan, 2, nan])
    np.testing.assert_array_equal(found.least, [8, nan, 1, nan])
    assert group_moments([], [], 2).count.tolist() == [0, 0]


@pytest.mark.parametrize("value", [nan, inf, -inf, 1.1e150])
def test_what_is_no_number_is_refused(value: float):
    with pytest.raises(ValueError, match="only finite numbers up to 1e\\+150 can be analysed"):
        moments([1, value])


def test_great_and_small_numbers_are_no_problem():
    assert moments([1e150, -1e150]).variance == pytest.approx(2e300)
    assert moments([1e-160, 3e-160, 8e-160]).skewness == pytest.approx(moments([1, 3, 8]).skewness)


@given(st.lists(st.tuples(st.integers(0, 4), numbers), max_size=40))
def test_each_group_has_what_it_has_alone(pairs):
    codes, values = [code for code, _value in pairs], [value for _code, value in pairs]
    found = group_moments(values, codes, 5)
    for code in range(5):
        alone = moments([value for own, value in pairs if own == code])
        for name in GroupMoments.__slots__:
            assert getattr(found, name)[code] == pytest.approx(getattr(alone, name) or nan, nan_ok=True) or (
                getattr(found, name)[code] == getattr(alone, name)
            )


@given(st.lists(numbers, min_size=3, max_size=30))
def test_pandas_says_the_same(values):
    found, frame = moments(values), pd.Series(values)
    assert found.mean == pytest.approx(frame.mean(), rel=1e-9, abs=1e-9)
    assert found.median == frame.median()
    assert found.variance == pytest.approx(frame.var(), rel=1e-6, abs=1e-9)
    if found.variance and found.variance > 1e-3:
        assert found.skewness == pytest.approx(frame.skew(), rel=1e-3, abs=1e-3)


@given(st.lists(numbers, min_size=1, max_size=30))
def test_the_mean_is_between_least_and_greatest(values):
    found = moments(values)
    assert min(values) - 1e-9 <= found.mean <= max(values) + 1e-9
    assert found.mad == mad(values)


def test_percentiles_are_of_type_7():
    assert interpolated([1, 2, 3, 4, 10], 0.9) == pytest.approx(7.6)  # type 8: 10; the module statistics: 12.4
    assert percentile(range(1, 101), 95) == pytest.approx(95.05)
    assert percentile([4, 1], 50) == 2.5


@given(st.lists(numbers, min_size=1, max_size=30), st.floats(0, 1))
def test_numpy_has_the_same_percentiles(values, share):
    assert interpolated(values, share) == pytest.approx(float(np.quantile(values, share)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("percent", "least"), [(95, 20), (5, 20), (99, 100), (99.9, 1000), (75, 4), (50, 1), (90, 10)])
def test_a_percentile_needs_values_beyond_it(percent: float, least: int):
    assert values_for_percentile(percent) == least
    assert percentile(range(least - 1), percent) is None
    assert percentile(range(least), percent) is not None
