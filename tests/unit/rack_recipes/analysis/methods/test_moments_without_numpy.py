# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.analysis.methods import moments_and_spread as with_numpy
from rack_recipes.analysis.methods import statistics_without_numpy

NUMBERS = st.lists(st.floats(-1e9, 1e9).filter(lambda number: not 0 < abs(number) < 1e-9), min_size=1, max_size=30)


@given(NUMBERS)
def test_they_are_those_of_numpy(numbers: list[float]) -> None:
    few, many = statistics_without_numpy.moments(numbers), with_numpy.moments(numbers)
    size = max(map(abs, numbers)) or 1.0
    for name in ("mean", "median", "mad", "least", "greatest"):
        assert getattr(few, name) == pytest.approx(getattr(many, name), rel=1e-12, abs=1e-12 * size)
    assert few.count == many.count
    if many.variance is None:
        assert math.isnan(few.variance)
    else:
        assert few.variance == pytest.approx(many.variance, rel=1e-9, abs=1e-12 * size)


def test_skewness_is_that_of_numpy() -> None:
    numbers = [1.0, 2.0, 2.5, 9.0, 30.0]
    assert statistics_without_numpy.moments(numbers).skewness == pytest.approx(
        with_numpy.moments(numbers).skewness, rel=1e-14
    )


def test_values_that_are_all_alike_have_the_variance_0_and_no_skewness() -> None:
    found = statistics_without_numpy.moments([0.1] * 3)
    assert (found.mean, found.variance) == (0.1, 0.0)
    assert math.isnan(found.skewness)


def test_no_numbers_have_no_moments() -> None:
    count, *others = astuple(statistics_without_numpy.moments([]))
    assert count == 0
    assert all(map(math.isnan, others))


def test_percentiles_are_of_type_7_and_need_a_value_beyond_them() -> None:
    assert statistics_without_numpy.quantile_of_sorted([1, 2, 3, 4, 10], 0.9) == pytest.approx(7.6)
    assert statistics_without_numpy.percentile_of_sorted(range(1, 101), 95) == pytest.approx(95.05)
    assert statistics_without_numpy.percentile_of_sorted(range(19), 95) is None
    assert statistics_without_numpy.percentile_of_sorted(range(20), 95) == pytest.approx(18.05)
