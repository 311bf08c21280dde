# SPDX-License-Identifier: GPL-3.0-or-later

"""Intervals of rates and of the next value, and which of many tests still hold.

Also how many passes end a quarantine. Many tests: Benjamini and Hochberg 1995.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from math import ceil, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

from rack_recipes.analysis.methods.statistics_without_numpy import beta_quantile, compute_moments, student_quantile

RATE = 0.05
"""The share of false ones among all that are found, on average, if nothing else is said."""


def adjust_p_values(p: Sequence[float]) -> list[float]:
    """Return for each p the least rate at which it would be kept."""
    found, least = [1.0] * len(p), 1.0
    for rank, place in reversed([*enumerate(sorted(range(len(p)), key=p.__getitem__), 1)]):
        least = min(least, p[place] * len(p) / rank)
        found[place] = least
    return found


def mark_kept_tests(p: Sequence[float], rate: float = RATE) -> list[bool]:
    """Mark the tests that are kept: on average at most `rate` of them are false, if the tests are independent."""
    return [adjusted <= rate for adjusted in adjust_p_values(p)]


def greatest_kept_p(p: Sequence[float], rate: float = RATE) -> float:
    """The greatest p that is kept, 0 if none is."""
    return max(compress(p, mark_kept_tests(p, rate)), default=0.0)


CONFIDENCE = 0.95
BROKEN = 0.01
"""A row of failures whose chance is below this is no flake any more."""
TAIL = 3  # how fast the chance of a distance falls: as its third power for t3
SURE = 0.01
"""The chance below which noise is ruled out, over all that is looked at in a run."""
LEAST_HISTORY = 3
"""With fewer earlier values there is a difference, but no judgement of it."""


class Interval(NamedTuple):
    """Both ends, which belong to it."""

    low: float
    high: float


def wilson(hits: int, tries: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a rate that is shown. At n = 10 it holds a true rate up to .1 in 94.6 % of cases, 84 at worst."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = hits / tries, z * z / tries
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / tries + spread / (4 * tries))
    return Interval(max(middle - half, 0.0) if hits else 0.0, min(middle + half, 1.0) if hits < tries else 1.0)


def clopper_pearson(hits: int, tries: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a rate that decides: it holds the true rate in at least `confidence` of all cases."""
    tail = (1 - confidence) / 2
    low = beta_quantile(tail, hits, tries - hits + 1) if hits else 0.0
    high = beta_quantile(1 - tail, hits + 1, tries - hits) if hits < tries else 1.0
    return Interval(low, high)


def passes_to_lift(rate: float, confidence: float = CONFIDENCE) -> int:
    """How many passes in a row show, with a confidence, that a test fails less often than at `rate` (0 to 1).

    29 passes for .1 at 95 %. The passes are to be of different runs: retries are not independent.
    """
    return ceil(log(1 - confidence) / log(1 - rate))


def is_broken(failures_in_a_row: int, rate: float) -> bool:
    """Whether a flake that fails at `rate` has failed so often in a row that this happens in less than 1 %."""
    return rate**failures_in_a_row < BROKEN


def chance_beyond(furthest: float, distance: float, earlier: int) -> float:
    """The chance of a distance by what was the furthest of `earlier` runs, for tails up to those of t3.

    A new greatest value has the chance 1 / (earlier + 1), whatever the noise. The rest is the tail: twice as far is 8
    times rarer for t3, and rarer still for shorter tails. 1 for what is no further than that.
    """
    return (furthest / distance) ** TAIL / (earlier + 1) if distance > furthest else 1.0


def prediction_interval(earlier: Sequence[float], confidence: float = 0.99) -> Interval | None:
    """Where the next value lies, if it is like the earlier ones; None for fewer than 3.

    The mean with t(n-1) sample deviations times sqrt(1 + 1/n). False alarms: 1 % for normal values at any n (.95 to
    1.05 % tried), 1.5 to 3 % for long tails. `earlier` starts after the last change of level.
    """
    found = compute_moments(earlier)
    if found.count < LEAST_HISTORY:
        return None
    t = student_quantile((1 + confidence) / 2, found.count - 1)
    half = t * sqrt(found.variance * (1 + 1 / found.count))
    return Interval(found.mean - half, found.mean + half)
