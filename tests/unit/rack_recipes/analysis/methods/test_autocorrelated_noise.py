# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest

from rack_recipes.analysis.methods.change_points_and_trends import generator, memory, noise_like


def test_random_numbers_depend_on_the_key_alone():
    assert generator("a").random() == generator("a").random()
    assert generator("a").random() != generator("b").random()


def test_the_memory_of_a_series_by_hand():
    residuals = np.array([1.0, 1, 1, 1, 1, -1, -1, -1, -1, -1])
    phi = (4 - 1 + 4) / 10
    assert memory(residuals) == pytest.approx(min((10 * phi + 2) / 6, 0.95))
    weaker = np.array([1.0, 1, -1, 1, 1, -1, -1, 1, -1, -1])
    assert memory(weaker) == pytest.approx(max((10 * (-0.1) + 2) / 6, 0))


def test_a_series_that_swings_has_no_memory():
    assert memory(np.array([1.0, -1] * 6)) == 0
    assert memory(np.zeros(12)) == 0


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.7])
def test_the_memory_is_found_again_in_long_series(phi: float):
    random = np.random.default_rng(3)
    values = random.normal(size=5000)
    for place in range(1, len(values)):
        values[place] += phi * values[place - 1]
    made = noise_like(values, 40, generator("x"))
    assert made.shape == (40, 5000)
    assert memory(values) == pytest.approx(phi, abs=0.03)
    assert np.mean([memory(row) for row in made]) == pytest.approx(phi, abs=0.03)
    assert made.std() == pytest.approx(values.std(), rel=0.05)
    assert made[:, 0].std() == pytest.approx(values.std(), rel=0.3)


def test_noise_has_no_level():
    made = noise_like(np.array([5.0, 6, 4, 5, 7, 3, 5, 6, 4, 5, 5, 5]), 4000, generator("x"))
    assert abs(made.mean()) < 0.1
