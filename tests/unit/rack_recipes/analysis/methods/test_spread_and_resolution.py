# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.analysis.methods.spread_and_resolution import (
    find_resolution,
    is_more_than,
    robust_deviation,
)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([10, 10, 50], 1),
        ([10, 10.5], 0.1),
        ([0.25, 0.5], 0.01),
        ([1e-9, 2], 1e-9),
        ([1 / 3, 2 / 3], 0),
        ([1e12, 1e12 + 1], 1),
        ([299_850.5, 299_740.1], 0.1),
    ],
)
def test_the_resolution_is_the_last_decimal_that_was_written(values: list[float], step: float):
    assert find_resolution(values) == pytest.approx(step)


def test_what_is_left_of_a_float_after_a_sum_is_no_difference():
    assert 1e-16 < find_resolution([0.1 + 0.2, 0.3]) < 1e-12


def test_one_step_is_not_more_than_a_step():
    assert not is_more_than(42.6 - 42.5, 0.1)
    assert is_more_than(42.7 - 42.5, 0.1)


def test_the_scale_is_the_deviation_of_normal_values():
    assert robust_deviation([1.1, 2.3, 3.2, 4.4, 5.9]) == pytest.approx(1.4826 * 1.2)


def test_the_scale_is_at_least_the_resolution():
    assert robust_deviation([5, 5, 5, 9]) == 1
    assert robust_deviation([5, 5, 5, 9], step=2) == 2


def test_counts_vary_by_the_square_root_of_their_median():
    assert robust_deviation([16, 16, 16, 17], counts=True) == 4
    assert robust_deviation([-16, -16, -16, -17], counts=True) == 1
