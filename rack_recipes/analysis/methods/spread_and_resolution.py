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
FLOOR_SHARE = 0.01  # of the median


def find_resolution(values: ArrayLike) -> float:
    """Return the step in which values were written down: 1, .1, .01 and so on; 0 if they have more than 9 decimals."""
    numbers = as_floats(values)
    if not _has_decimals(numbers, MOST_DECIMALS):
        return 0.0
    return 10.0 ** -next(decimals for decimals in range(MOST_DECIMALS + 1) if _has_decimals(numbers, decimals))


def _has_decimals(numbers: Floats, decimals: int) -> bool:
    """Whether so many decimals, or fewer, are all that the numbers have."""
    return bool((np.round(numbers, decimals) == numbers).all())


def least_difference(values: ArrayLike, tolerance: float | None = None, step: float | None = None) -> float:
    """Return the least difference that is ever reported, in the unit of the values.

    The tolerance if somebody gave one, else the resolution or 1 % of the median, whichever is greater.
    """
    if tolerance is not None:
        return tolerance
    numbers = as_floats(values)
    smallest = find_resolution(numbers) if step is None else step
    return max(smallest, FLOOR_SHARE * abs(float(np.median(numbers))))


def robust_deviation(values: ArrayLike, step: float | None = None, *, counts: bool = False) -> float:
    """Return the spread of values as a standard deviation: 1.4826 MAD, and at least the resolution.

    For counts at least the square root of the median: that is how much counts vary by themselves.
    """
    numbers = as_floats(values)
    smallest = find_resolution(numbers) if step is None else step
    root = float(np.sqrt(max(np.median(numbers), 0.0))) if counts else 0.0
    return max(NORMAL * median_deviation(numbers), smallest, root)
