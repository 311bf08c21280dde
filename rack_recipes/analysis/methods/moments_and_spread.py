# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments and percentiles of groups with all their digits right, and the least difference that means something.

The median of a group is subtracted before anything is squared. So 1e12+-1 gives as many right digits as 0+-1, where
pandas' groupby has 5 of 16 (notes/analysis.md, 7). Values that are all alike have the variance 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats, Places, floats
from rack_recipes.analysis.methods.statistics_without_numpy import quantile_of_sorted, values_for_percentile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
PERCENTILE_TYPE = 7
"""How percentiles are interpolated: Hyndman and Fan's type 7, as numpy, pandas, R and Excel do."""
NORMAL = 1.4826
"""The standard deviation of normal values, in units of their MAD."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one group of values. What too few values do not have is None.

    `variance` is the sample's (n - 1), `population_variance` is of the values alone (n). `mad` is the median distance
    from the median, not scaled. `skewness` is G1, the sample skewness that pandas and Excel show.
    """

    count: int
    mean: float | None
    variance: float | None
    population_variance: float | None
    median: float | None
    mad: float | None
    skewness: float | None
    least: float | None
    greatest: float | None


@dataclass(frozen=True, slots=True)
class GroupMoments:
    """The same of many groups, an array each; NaN is what a group does not have."""

    count: Places
    mean: Floats
    variance: Floats
    population_variance: Floats
    median: Floats
    mad: Floats
    skewness: Floats
    least: Floats
    greatest: Floats


def moments(values: ArrayLike) -> Moments:
    """Return the moments of one group. Raises ValueError for values that are not numbers."""
    numbers = floats(values)
    found = group_moments(numbers, np.zeros(len(numbers), dtype=np.int64), 1)
    count, *rest = (getattr(found, name)[0].item() for name in GroupMoments.__slots__)
    return Moments(count, *(None if isnan(number) else number for number in rest))


def group_moments(values: ArrayLike, codes: ArrayLike, groups: int) -> GroupMoments:
    """Return the moments of `groups` groups; a code from 0 to `groups` - 1 says to which group a value belongs."""
    numbers, of = floats(values), np.asarray(codes, dtype=np.int64)
    order = np.lexsort((numbers, of))
    numbers, of = numbers[order], of[order]
    count = np.bincount(of, minlength=groups)
    start = np.cumsum(count) - count
    middle = _medians(numbers, start, count)
    apart = numbers - middle[of]
    distances = np.abs(apart)
    mad = _medians(distances[np.lexsort((distances, of))], start, count)
    mean, population, sample, skewness = _sums(apart, of, count)
    least, greatest = _at(numbers, start, count), _at(numbers, start + count - 1, count)
    return GroupMoments(count, middle + mean, sample, population, middle, mad, skewness, least, greatest)


def _medians(ordered: Floats, start: Places, count: Places) -> Floats:
    low, high = _at(ordered, start + (count - 1) // 2, count), _at(ordered, start + count // 2, count)
    return np.where(low == high, low, low / 2 + high / 2)


def _at(ordered: Floats, places: Places, count: Places) -> Floats:
    """The values at places of an array; NaN for groups that are empty."""
    if not len(ordered):
        return np.full(len(count), np.nan)
    return np.where(count > 0, ordered[np.clip(places, 0, len(ordered) - 1)], np.nan)


def _sums(apart: Floats, of: Places, count: Places) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, variance of the population and of the sample, and skewness, of values near 0."""
    n = count.astype(np.float64)
    size = np.zeros(len(n))
    np.maximum.at(size, of, np.abs(apart))
    scaled = apart / np.where(size > 0, size, 1.0)[of]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _totals(scaled, of, count) / n
        rest = scaled - mean[of]
        mean = mean + _totals(rest, of, count) / n
        rest = scaled - mean[of]
        squares, cubes = _totals(rest**2, of, count), _totals(rest**3, of, count)
        sample = np.where(n > 1, squares / (n - 1), np.nan)
        skewness = cubes / sample**1.5 * (n / ((n - 1) * (n - 2)))
    skewness[(n < 3) | ~(squares > 0)] = np.nan
    return mean * size, squares / np.where(n > 0, n, np.nan) * size**2, sample * size**2, skewness


def _totals(ordered: Floats, of: Places, count: Places) -> Floats:
    """Sums of groups that lie one after the other, added in pairs."""
    found = np.zeros(len(count))
    filled = np.flatnonzero(count)
    if len(filled):
        found[filled] = np.add.reduceat(ordered, (np.cumsum(count) - count)[filled])
    return found


def percentile(values: ArrayLike, percent: float) -> float | None:
    """Return a percentile of type 7; None if there are too few values for it, such as fewer than 20 for p95."""
    numbers = floats(values)
    return None if len(numbers) < values_for_percentile(percent) else interpolated(numbers, percent / 100)


def interpolated(values: ArrayLike, share: float) -> float:
    """Return the quantile of type 7 of at least one value: a share from 0 to 1 of them is below it."""
    return quantile_of_sorted(np.sort(floats(values)), share)


def mad(values: ArrayLike) -> float:
    """Return the median distance from the median of at least one value."""
    numbers = floats(values)
    return float(np.median(np.abs(numbers - np.median(numbers))))


MOST_DECIMALS = 9
FLOOR_SHARE = 0.01  # of the median


def resolution(values: ArrayLike) -> float:
    """Return the step in which values were written down: 1, .1, .01 and so on; 0 if they have more than 9 decimals."""
    numbers = floats(values)
    if not _has_decimals(numbers, MOST_DECIMALS):
        return 0.0
    return 10.0 ** -next(decimals for decimals in range(MOST_DECIMALS + 1) if _has_decimals(numbers, decimals))


def _has_decimals(numbers: Floats, decimals: int) -> bool:
    """Whether so many decimals, or fewer, are all that the numbers have."""
    return bool((np.round(numbers, decimals) == numbers).all())


def floor(values: ArrayLike, tolerance: float | None = None, step: float | None = None) -> float:
    """Return the least difference that is ever reported, in the unit of the values.

    The tolerance if somebody gave one, else the resolution or 1 % of the median, whichever is greater.
    """
    if tolerance is not None:
        return tolerance
    numbers = floats(values)
    smallest = resolution(numbers) if step is None else step
    return max(smallest, FLOOR_SHARE * abs(float(np.median(numbers))))


def scale(values: ArrayLike, step: float | None = None, *, counts: bool = False) -> float:
    """Return the spread of values as a standard deviation: 1.4826 MAD, and at least the resolution.

    For counts at least the square root of the median: that is how much counts vary by themselves.
    """
    numbers = floats(values)
    smallest = resolution(numbers) if step is None else step
    root = float(np.sqrt(max(np.median(numbers), 0.0))) if counts else 0.0
    return max(NORMAL * mad(numbers), smallest, root)
