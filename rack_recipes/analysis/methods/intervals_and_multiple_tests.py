# SPDX-License-Identifier: GPL-3.0-or-later

"""Intervals of rates and of the next value, and which of many tests still hold.

Also how many passes end a quarantine. Many tests: Benjamini and Hochberg 1995.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats, Marks, floats
from rack_recipes.analysis.methods.moments_and_spread import moments
from rack_recipes.analysis.methods.statistics_without_numpy import beta_quantile, student_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
RATE = 0.05
"""The share of false ones among all that are found, on average, if nothing else is said."""


def adjust_p_values(p: ArrayLike) -> Floats:
    """Return for each p the least rate at which it would be kept."""
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    ranks = np.arange(1, len(given) + 1)
    least = np.minimum.accumulate((given[order] * len(given) / ranks)[::-1])[::-1]
    found = np.empty_like(given)
    found[order] = np.minimum(least, 1.0)
    return found


def mark_kept_tests(p: ArrayLike, rate: float = RATE) -> Marks:
    """Mark the tests that are kept: on average at most `rate` of them are false, if the tests are independent."""
    return adjust_p_values(p) <= rate


def greatest_kept_p(p: ArrayLike, rate: float = RATE) -> float:
    """The greatest p that is kept, 0 if none is."""
    given = np.asarray(p, dtype=np.float64)
    return float(np.max(given[mark_kept_tests(given, rate)], initial=0.0))


CONFIDENCE = 0.95
BROKEN = 0.01
"""A row of failures whose chance is below this is no flake any more."""
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


def prediction_interval(earlier: ArrayLike, confidence: float = 0.99) -> Interval | None:
    """Where the next value lies, if it is like the earlier ones; None for fewer than 3.

    The mean with t(n-1) sample deviations times sqrt(1 + 1/n). False alarms: 1 % for normal values at any n (.95 to
    1.05 % tried), 1.5 to 3 % for long tails. `earlier` starts after the last change of level.
    """
    found = moments(earlier)
    if found.count < LEAST_HISTORY or found.mean is None or found.variance is None:
        return None
    t = student_quantile((1 + confidence) / 2, found.count - 1)
    half = t * sqrt(found.variance * (1 + 1 / found.count))
    return Interval(found.mean - half, found.mean + half)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value against earlier ones: how far from their median, where it was expected, and what that means.

    `expected` is None with fewer than 3 earlier values: then `meaning` is "". Else it is "", "better", "worse" or
    "changed", the last where nobody has said which direction is good.
    """

    value: float
    median: float
    difference: float
    expected: Interval | None
    meaning: str


def compare_with_earlier(value: float, earlier: ArrayLike, better: str = "", target: float | None = None) -> Comparison:
    """Compare one value with at least one earlier one. `better` is "higher", "lower", "target" or "".

    A value that is within `prediction_interval` has no meaning. For "target", nearer to `target` is better.
    """
    numbers = floats(earlier)
    middle = float(np.median(numbers))
    expected = prediction_interval(numbers)
    outside = expected is not None and not expected.low <= value <= expected.high
    gain = {
        "higher": value - middle,
        "lower": middle - value,
        "target": abs(middle - (target or 0.0)) - abs(value - (target or 0.0)),
    }.get(better)
    meaning = "changed" if gain is None else "better" if gain > 0 else "worse"
    return Comparison(value, middle, value - middle, expected, meaning if outside else "")
