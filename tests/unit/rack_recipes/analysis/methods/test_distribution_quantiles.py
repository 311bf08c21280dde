# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from fractions import Fraction
from math import comb, inf

import pytest
from scipy import stats

from rack_recipes.analysis.methods.statistics_without_numpy import (
    beta_quantile,
    hypergeometric_tail,
    incomplete_beta,
    student_quantile,
    student_two_sided,
)


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
