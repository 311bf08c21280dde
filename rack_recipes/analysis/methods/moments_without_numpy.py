# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The moments of a few numbers, in plain Python: importing numpy takes longer than computing these.

A test holds them against moments.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, fsum, nan, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rack_recipes.analysis.methods.arrays import Floats


@dataclass(frozen=True, slots=True)
class FewMoments:
    """What moments.py says of a group; NaN is what too few values do not have."""

    count: int
    mean: float = nan
    variance: float = nan
    median: float = nan
    mad: float = nan
    skewness: float = nan
    least: float = nan
    greatest: float = nan


def moments(numbers: Sequence[float]) -> FewMoments:
    """The moments of numbers, the median subtracted first. They are finite, and not greater than 1e150."""
    ordered, n = sorted(numbers), len(numbers)
    if not n:
        return FewMoments(0)
    middle = middle_of(ordered)
    apart = [number - middle for number in ordered]
    shift = fsum(apart) / n
    rest = [one - shift for one in apart]
    variance = fsum(one * one for one in rest) / (n - 1) if n > 1 else nan
    mad = middle_of(sorted(map(abs, apart)))
    return FewMoments(n, middle + shift, variance, middle, mad, _skewness(rest, variance), ordered[0], ordered[-1])


def _skewness(rest: Sequence[float], variance: float) -> float:
    """G1, the sample skewness, of distances from the mean."""
    n = len(rest)
    if n < 3 or not variance:
        return nan
    deviation = sqrt(variance)
    return fsum((one / deviation) ** 3 for one in rest) * n / ((n - 1) * (n - 2))


def middle_of(ordered: Sequence[float]) -> float:
    """The median of sorted numbers, of which there is at least one."""
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else low / 2 + high / 2


def percentile_of_sorted(ordered: Sequence[float], percent: float) -> float | None:
    """A percentile of type 7 of sorted numbers; None if there are too few for it, such as fewer than 20 for p95."""
    return None if len(ordered) < values_for_percentile(percent) else quantile_of_sorted(ordered, percent / 100)


def quantile_of_sorted(ordered: Sequence[float] | Floats, share: float) -> float:
    """The quantile of type 7 of at least one sorted number: a share from 0 to 1 of them is below it."""
    place = (len(ordered) - 1) * share
    low, part = floor(place), place - floor(place)
    below, above = float(ordered[low]), float(ordered[ceil(place)])
    return below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part)


def values_for_percentile(percent: float) -> int:
    """How many values a percentile needs, so that one of them is expected beyond it: 20 for p95, 100 for p99."""
    return 1 if percent == 50 else ceil(round(100 / min(percent, 100 - percent), 9))
