# SPDX-License-Identifier: GPL-3.0-or-later

"""How far values spread, and the least difference that means something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rack_recipes.analysis.methods.arrays import Floats, as_floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
NORMAL = 1.4826
"""The standard deviation of normal values, in units of their MAD."""


def median_deviation(values: ArrayLike) -> float:
    """Return the median distance from the median of at least one value."""
    numbers = as_floats(values)
    return float(np.median(np.abs(numbers - np.median(numbers))))


MOST_DECIMALS = 9
SAME = 1e-6
ROUNDING = 2.0**-44  # of the greatest value: what is left of a float after some sums


def find_resolution(values: ArrayLike) -> float:
    """Return the step in which values were written down: 1, .1, .01 and so on. No smaller difference is ever reported.

    For more than 9 decimals it is what a float of this size can tell apart, which is next to nothing. How far the
    values are from 0 says nothing: 12.05 V and 300 K have no natural zero, and a share of them would hide any change.
    """
    numbers = as_floats(values)
    least = ROUNDING * float(np.abs(numbers).max(initial=0.0))
    if not _has_decimals(numbers, MOST_DECIMALS):
        return least
    step = 10.0 ** -next(decimals for decimals in range(MOST_DECIMALS + 1) if _has_decimals(numbers, decimals))
    return max(step, least)


def _has_decimals(numbers: Floats, decimals: int) -> bool:
    """Whether so many decimals, or fewer, are all that the numbers have."""
    return bool((np.round(numbers, decimals) == numbers).all())


def is_more_than(distance: float, step: float) -> bool:
    """Whether a distance is greater than a step, and not only because 42.6 less 42.5 is a little more than 0.1."""
    return distance > step * (1 + SAME)


def robust_deviation(values: ArrayLike, step: float | None = None, *, counts: bool = False) -> float:
    """Return the spread of values as a standard deviation: 1.4826 MAD, and at least the resolution.

    For counts at least the square root of the median: that is how much counts vary by themselves.
    """
    numbers = as_floats(values)
    smallest = find_resolution(numbers) if step is None else step
    root = float(np.sqrt(max(np.median(numbers), 0.0))) if counts else 0.0
    return max(NORMAL * median_deviation(numbers), smallest, root)
