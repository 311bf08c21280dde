# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GESD: several outliers in one group of normal values (Rosner 1983), each with its chance."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats
from rack_recipes.analysis.methods.distribution_quantiles import student_two_sided

LEAST_SCORE = 2.3
"""Deviations below this have a chance above .05 in any group of 16 or more, and are not computed."""


class Suspect(NamedTuple):
    """The place of a value, and the chance of so extreme a one among those that are left."""

    place: int
    p: float


def gesd(values: Floats, most: int, least_deviation: float = 0.0) -> list[Suspect]:
    """Remove up to `most` values, each time the most extreme of those left, and return them in that order.

    Outliers are all up to the last whose p is small. `least_deviation` is the least standard deviation that the values
    can have, in their unit. False alarms at .01: 1 % of groups of 16 and more normal values (notes/analysis.md, 1).
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order] - np.median(values)
    removed, low, high = _path(ordered, most)
    deviations = _deviations(ordered, removed, low, high)
    return [
        Suspect(int(order[place]), _p(abs(float(ordered[place]) - mean), max(spread, least_deviation), count))
        for place, (mean, spread, count) in zip(removed, deviations, strict=True)
    ]


def _path(ordered: Floats, most: int) -> tuple[list[int], int, int]:
    """The places that are removed one after the other, and the first and last that are left."""
    low, high = 0, len(ordered) - 1
    sums = np.concatenate(([0.0], np.cumsum(ordered))).tolist()
    numbers = ordered.tolist()
    removed = []
    for _turn in range(most):
        mean = (sums[high + 1] - sums[low]) / (high - low + 1)
        if mean - numbers[low] > numbers[high] - mean:
            removed.append(low)
            low += 1
        else:
            removed.append(high)
            high -= 1
    return removed, low, high


def _deviations(ordered: Floats, removed: list[int], low: int, high: int) -> list[tuple[float, float, int]]:
    """Mean, standard deviation and number of the values before each removal; values are added again, by Welford."""
    left = ordered[low : high + 1]
    count, mean = len(left), float(left.mean())
    squares = float(((left - mean) ** 2).sum())
    found = []
    for place in reversed(removed):
        count += 1
        apart = float(ordered[place]) - mean
        mean += apart / count
        squares += apart * (float(ordered[place]) - mean)
        found.append((mean, sqrt(squares / (count - 1)), count))
    return found[::-1]


def _p(distance: float, deviation: float, count: int) -> float:
    """The chance that the most extreme of `count` normal values is so far out, in the tail of Student's t."""
    score = distance / deviation if deviation else 0.0
    if score < LEAST_SCORE:
        return 1.0
    room = (count - 1) ** 2 / count - score**2
    if room <= 0:
        return 0.0
    t = score * sqrt((count - 2) / room)
    return min(count * student_two_sided(t, count - 2), 1.0)
