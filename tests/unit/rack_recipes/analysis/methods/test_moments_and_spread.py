# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.analysis.methods.moments_and_spread import floor, resolution, scale


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([10, 10, 50], 1),
        ([10, 10.5], 0.1),
        ([0.25, 0.5], 0.01),
        ([1e-9, 2], 1e-9),
        ([1 / 3, 2 / 3], 0),
        ([1e12, 1e12 + 1], 1),
    ],
)
def test_the_resolution_is_the_last_decimal_that_was_written(values: list[float], step: float):
    assert resolution(values) == pytest.approx(step)


def test_the_floor_is_the_tolerance_or_a_hundredth_or_the_resolution():
    assert floor([200.5, 200.5, 201.5], tolerance=0.3) == 0.3
    assert floor([200.5, 200.5, 201.5], tolerance=0) == 0
    assert floor([200.5, 200.5, 201.5]) == pytest.approx(2.005)
    assert floor([-200.5]) == pytest.approx(2.005)
    assert floor([2, 2, 3]) == 1
    assert floor([2, 2, 3], step=0.5) == 0.5


def test_the_scale_is_the_deviation_of_normal_values():
    assert scale([1.1, 2.3, 3.2, 4.4, 5.9]) == pytest.approx(1.4826 * 1.2)


def test_the_scale_is_at_least_the_resolution():
    assert scale([5, 5, 5, 9]) == 1
    assert scale([5, 5, 5, 9], step=2) == 2


def test_counts_vary_by_the_square_root_of_their_median():
    assert scale([16, 16, 16, 17], counts=True) == 4
    assert scale([-16, -16, -16, -17], counts=True) == 1
