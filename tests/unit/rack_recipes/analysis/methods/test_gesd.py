# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rack_recipes.analysis.methods.outliers import gesd

# Rosner's data (1983, Technometrics 25: 165-172), as the NIST/SEMATECH e-Handbook of Statistical Methods prints them,
# https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h3.htm: three outliers at .05.
ROSNER = np.array([
    *(-0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58, 1.65, 1.69, 1.70),
    *(1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15, 2.23, 2.24, 2.26, 2.35, 2.37, 2.40),
    *(2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21, 3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01),
])  # fmt: skip


def test_rosner_s_own_example_has_three_outliers():
    suspects = gesd(ROSNER, 10)
    assert [ROSNER[each.place] for each in suspects[:4]] == [6.01, 5.42, 5.34, 4.64]
    assert max(rank for rank, each in enumerate(suspects, 1) if each.p <= 0.05) == 3


def textbook(values: np.ndarray, most: int) -> list[tuple[float, float]]:
    """The same by NIST's description: the value that is removed, and its p."""
    left, found = values.tolist(), []
    for _turn in range(most):
        mean, deviation, count = np.mean(left), np.std(left, ddof=1), len(left)
        value = max(left, key=lambda one: abs(one - mean))
        score = abs(value - mean) / deviation
        room = (count - 1) ** 2 / count - score**2
        t = score * np.sqrt((count - 2) / room)
        found.append((value, min(2 * count * stats.t.sf(t, count - 2), 1)))
        left.remove(value)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_it_follows_the_textbook(seed: int):
    random = np.random.default_rng(seed)
    values = random.normal(size=16 + seed) + 12 * (random.random(16 + seed) < 0.15)
    expected = textbook(values, 5)
    for suspect, (value, p) in zip(gesd(values, 5), expected, strict=True):
        assert values[suspect.place] == value
        assert suspect.p == pytest.approx(p, rel=1e-6) or (suspect.p == 1 and p > 0.05)


def test_a_huge_outlier_hides_no_digits_of_the_rest():
    values = np.concatenate([np.random.default_rng(1).normal(size=40), [6.0, 1e14]])
    first, second, third = gesd(values, 3)
    assert (first.place, second.place) == (41, 40)
    assert second.p == pytest.approx(textbook(values[:41], 1)[0][1], rel=1e-6)
    assert third.p > 0.05


def test_a_deviation_has_a_least_size():
    values = np.array([0.0] * 10 + [1.0] * 9 + [4.0])
    assert gesd(values, 1)[0].p < 0.01
    assert gesd(values, 1, least_deviation=3)[0].p == 1


def test_values_that_are_all_alike_have_no_suspect():
    assert {each.p for each in gesd(np.full(20, 3.0), 5)} == {1}


def test_one_value_that_is_all_the_spread_is_certain():
    assert gesd(np.array([*([0.0] * 19), 1.0]), 1)[0] == (19, 0)


def test_false_alarms_are_as_rare_as_is_said():
    random = np.random.default_rng(4)
    found = [min(each.p for each in gesd(random.normal(size=40), 13)) <= 0.01 for _turn in range(1500)]
    assert 0.003 <= np.mean(found) <= 0.02
