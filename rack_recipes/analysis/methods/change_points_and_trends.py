# SPDX-License-Identifier: GPL-3.0-or-later

"""Series over runs.

Where the level changes, whether there is drift and when it reaches a limit, with noise that remembers its last value.

The method: spikes are cut to 4 deviations from the median of the 5 runs around them. Then the greatest two-sample t2
over all places with at least 3 runs on each side is judged by permutations. The change must survive without the most
extreme value of its shorter side. It must be rare also among series with the same memory (an AR(1) sieve). Both sides
are searched in the same way, before the memory is measured: further changes are no memory.

False alarms at .01, in % of series of 20 / 50 runs without a change (2,000 series, 500 or more that remember): normal
noise .6 / .5, t3 .7 / 1.0, spikes in 5 % of runs 1.0 / .9; where each run remembers the last, AR(1), they are more: 10
/ 6 for a memory of .6, 22 / 13 for .8, 31 / 26 for .94. A change of 10 % under noise of 5 % is found within 2 runs in
60 % of series of 20 runs, one of 20 % in 97 %. Two opposite changes near each other may hide each other.

False alarms: 4 to 6 % for independent noise at n = 8 to 50; the sieve answers for series that remember, where bounds
alone have 19 to 30 %. The interval of the crossing holds the true one in 88 to 91 % of cases from n = 20; with 10 runs
it is said in 21 % of cases and holds in 65 to 80 % (notes/analysis.md, 3). Look for changes of level first and give
only the runs after the last one: a step is no drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from math import ceil, floor, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from rack_recipes.analysis.methods import intervals_and_multiple_tests
from rack_recipes.analysis.methods.arrays import Floats, Places, as_floats
from rack_recipes.analysis.methods.spread_and_resolution import NORMAL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
MOST = 0.95  # memory beyond which no series of our lengths has an answer


def make_generator(key: str) -> np.random.Generator:
    """Return the random numbers of a series: always the same for the same key, so that an answer can be repeated."""
    return np.random.default_rng(int.from_bytes(sha256(key.encode()).digest()[:16]))


def measure_memory(residuals: Floats) -> float:
    """Return how much of a residual is left in the next one, 0 to `MOST`, corrected for the shortness of the series.

    (n phi + 2) / (n - 4), where phi is the autocorrelation at lag 1 (notes/analysis.md, 2).
    """
    n, squares = len(residuals), float(residuals @ residuals)
    if squares == 0:
        return 0.0
    phi = float(residuals[1:] @ residuals[:-1]) / squares
    return min(max((n * phi + 2) / (n - 4), 0.0), MOST)


def make_noise_like(residuals: Floats, series: int, random: np.random.Generator) -> Floats:
    """Return `series` series (rows) with the length, the memory and the values of some residuals, and nothing else."""
    phi = measure_memory(residuals)
    steps = residuals[1:] - phi * residuals[:-1]
    drawn = random.choice(steps - steps.mean(), size=(series, len(residuals)))
    drawn[:, 0] /= np.sqrt(1 - phi * phi)
    for place in range(1, len(residuals)):
        drawn[:, place] += phi * drawn[:, place - 1]
    return drawn


LEAST_RUNS = 10
"""Shorter series have no answer: no order of 9 values is rarer than 1 %."""
LEAST_SIDE = 3
ALPHA = 0.01
PERMUTATIONS = 499
MOST_PERMUTATIONS = 99_999
MARGIN = 10  # times as fine as the p that many series ask for, if all candidates are right
FIRST, BLOCK = 50, 2_000_000  # series at first, values at a time later
KEPT_SHIFT = 0.5
AROUND, MOST_DEVIATIONS = 5, 4.0  # of a spike
ROUNDING = 1e-9
type Maker = Callable[[Floats, int, np.random.Generator], Floats]


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change of level: the place of the first run at the new level, the mean before and after, and its chance.

    `p` is the greater one of both tests. The levels are those of the runs from `start` to `place` and from there to
    `end`, where the next changes are, or the ends of the series.
    """

    place: int
    before: float
    after: float
    p: float
    start: int
    end: int

    @property
    def shift(self) -> float:
        """The difference of the levels, in the unit of the values."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Search:
    """How changes are searched: the chance that is rare enough, the least shift, and how many orders are tried."""

    key: str
    alpha: float
    floor: float
    permutations: int


def find_change_points(
    values: ArrayLike, key: str, *, alpha: float = ALPHA, floor: float = 0.0, permutations: int = PERMUTATIONS
) -> tuple[ChangePoint, ...]:
    """Return the changes of level in a series, the earliest run first; none for fewer than 10 runs.

    `key` names the series and seeds the permutations. `floor` is the least shift that counts, in the values' unit.
    """
    numbers = as_floats(values)
    if len(numbers) < LEAST_RUNS:
        return ()
    middle = float(np.median(numbers))
    apart = cut_spikes(numbers - middle)
    found = _search(apart, Search(key, alpha, floor, permutations))
    bounds = [0, *sorted(found), len(numbers)]
    levels = [float(apart[a:b].mean()) + middle for a, b in pairwise(bounds)]
    changes = (
        ChangePoint(place, levels[number], levels[number + 1], found[place], bounds[number], bounds[number + 2])
        for number, place in enumerate(sorted(found))
    )
    return tuple(change for change in changes if abs(change.shift) >= floor)


def cut_spikes(values: Floats) -> Floats:
    """Return a series in which no run is further than 4 deviations from the median of the 5 runs around it.

    A change of level stays where it is: from its third run on it is the median. The deviation is that of the distances.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, AROUND)
    around = np.median(windows, axis=1)[np.clip(np.arange(len(values)) - AROUND // 2, 0, len(windows) - 1)]
    reach = MOST_DEVIATIONS * NORMAL * float(np.median(np.abs(values - around)))
    return np.clip(values, around - reach, around + reach) if reach else values


def _search(numbers: Floats, how: Search) -> dict[int, float]:
    """The places of changes, each with its p. A change that does not hold hides those inside its parts.

    The parts are searched first: their changes are no memory of the series.
    """
    if len(numbers) < LEAST_RUNS or numbers.min() == numbers.max():
        return {}
    score, place = find_best_split(numbers)
    before, after = numbers[:place], numbers[place:]
    if abs(after.mean() - before.mean()) < how.floor or not is_more_than_a_spike(before, after):
        return {}
    p = _chance(score, numbers, how, _other_orders)
    if p > how.alpha:
        return {}
    inside = _search(before, how) | {place + at: own for at, own in _search(after, how).items()}
    residuals = np.concatenate([part - part.mean() for part in np.split(numbers, sorted([*inside, place]))])
    p = max(p, _chance(score, residuals, how, make_noise_like))
    return {} if p > how.alpha else inside | {place: p}


def find_best_split(values: Floats) -> tuple[float, int]:
    """Return the greatest t2 of all places that split a series, and the first such place."""
    scores, places = scan(values[np.newaxis])
    return float(scores[0]), int(places[0])


def scan(series: Floats, least_after: int = LEAST_SIDE) -> tuple[Floats, Places]:
    """For each series (a row) the greatest t2 and its place. Without any spread the t2 is 0.

    At least 3 runs are before the place, and `least_after` from there on.
    """
    n = series.shape[1]
    series = series - series.mean(axis=1, keepdims=True)
    k = np.arange(LEAST_SIDE, n - least_after + 1)
    sums = np.cumsum(series, axis=1)[:, k - 1]
    between = sums**2 * (n / (k * (n - k)))
    total = (series**2).sum(axis=1, keepdims=True)
    least = np.finfo(np.float64).eps * total + np.finfo(np.float64).tiny
    scores = (n - 2) * between / np.maximum(total - between, least)
    best = scores.argmax(axis=1)
    return scores[np.arange(len(series)), best], k[best]


def is_more_than_a_spike(before: Floats, after: Floats) -> bool:
    """Whether half of the shift is left without the value that makes most of it, on the shorter side."""
    shift = float(after.mean() - before.mean())
    sides = [(before, after, -shift), (after, before, shift)]
    least = min(len(before), len(after))
    return all(_is_kept(own, other, towards) for own, other, towards in sides if len(own) == least)


def _is_kept(own: Floats, other: Floats, shift: float) -> bool:
    extreme = np.argmax(own * np.sign(shift))
    rest = float(np.delete(own, extreme).mean() - other.mean())
    return bool(rest * np.sign(shift) >= KEPT_SHIFT * abs(shift))


def _chance(score: float, values: Floats, how: Search, make: Maker) -> float:
    """How often series that are made of some values have such a score. Ends once that is more often than `alpha`."""
    random = make_generator(how.key)
    more = 0
    for size in _blocks(how.permutations, len(values)):
        more += int((scan(make(values, size, random))[0] >= score * (1 - ROUNDING)).sum())
        if more + 1 > how.alpha * (how.permutations + 1):
            break
    return (more + 1) / (how.permutations + 1)


def _other_orders(values: Floats, series: int, random: np.random.Generator) -> Floats:
    return random.permuted(np.broadcast_to(values, (series, len(values))), axis=1)


def _blocks(permutations: int, length: int) -> Iterator[int]:
    """How many series are made at a time: few at first, since most series have no change."""
    done, size = 0, FIRST
    while done < permutations:
        yield min(size, permutations - done)
        done, size = done + size, max(BLOCK // length, 1)


def find_in_many(
    series: Mapping[str, ArrayLike],
    *,
    rate: float = intervals_and_multiple_tests.RATE,
    floors: Mapping[str, float] | None = None,
) -> dict[str, tuple[ChangePoint, ...]]:
    """Return the changes of many series, by key; on average at most `rate` of the series named have none.

    Candidates at .01 are tried again with as many permutations as their p needs to hold among all the others.
    """
    floors = floors or {}
    first = {key: find_change_points(values, key, floor=floors.get(key, 0.0)) for key, values in series.items()}
    candidates = [key for key, changes in first.items() if changes]
    enough = min(ceil(MARGIN * len(series) / (rate * max(len(candidates), 1))), MOST_PERMUTATIONS)
    if enough > PERMUTATIONS:
        for key in candidates:
            first[key] = find_change_points(series[key], key, floor=floors.get(key, 0.0), permutations=enough)
    bound = intervals_and_multiple_tests.greatest_kept_p(
        [min((one.p for one in found), default=1.0) for found in first.values()], rate
    )
    kept = {key: tuple(change for change in changes if change.p <= bound) for key, changes in first.items()}
    return {key: changes for key, changes in kept.items() if changes}


CONFIDENCE = 0.95
CROSSING_CONFIDENCE = 0.9
SERIES = 499
HORIZON = 2
"""How far ahead a crossing is said, in lengths of the history, counted from its start."""
TREND_BLOCK = 2_000_000  # values at a time


@dataclass(frozen=True, slots=True)
class Trend:
    """The slope of a series a unit of time, and its 95 % interval.

    `why_not` says why this is no trend; it is "" for a trend. `shift` is the slope times the length of the history.
    `level` is where the line is at the time `middle`. The line ends at the time `last`. `slow` and `fast` bound the
    slope at 90 %: crossings are computed from them.
    """

    slope: float
    low: float
    high: float
    level: float
    middle: float
    first: float
    last: float
    slow: float
    fast: float
    p: float
    why_not: str = ""

    @property
    def shift(self) -> float:
        """How far the series has moved over its length, in the unit of the values."""
        return self.slope * (self.last - self.first)


@dataclass(frozen=True, slots=True)
class Crossing:
    """When a trend reaches a limit, in the unit of the times; `latest` is None where it may never do so in sight."""

    time: float
    earliest: float
    latest: float | None


NOT_ENOUGH = "fewer than 10 runs"
ZERO_INSIDE = "the slope may as well be zero"
REMEMBERS = "such a slope is common where each run resembles the one before"
TOO_SMALL = "the change is too small to matter"


def find_trend(
    values: ArrayLike, key: str, times: ArrayLike | None = None, *, least_shift: float = 0.0, alpha: float = 0.05
) -> Trend | None:
    """Return the trend of a series, which may be none: see `why_not`. None for fewer than two different times.

    `times` are numbers that rise, such as days; without them it is the number of the run. `least_shift` is the least
    change over the whole history that matters, in the unit of the values. `key` seeds the sieve.
    """
    y = as_floats(values)
    t = np.arange(len(y), dtype=np.float64) if times is None else as_floats(times)
    slopes = _slopes(t, y)
    if not len(slopes):
        return None
    low, high = _bounds(slopes, t, y, CONFIDENCE)
    slow, fast = _bounds(slopes, t, y, CROSSING_CONFIDENCE)
    slope, middle = float(np.median(slopes)), float(np.median(t))
    level = float(np.median(y - slope * (t - middle)))
    p = 1.0
    why_not = NOT_ENOUGH if len(y) < LEAST_RUNS else ZERO_INSIDE if low <= 0 <= high else ""
    if not why_not and abs(slope) * (t.max() - t.min()) < least_shift:
        why_not = TOO_SMALL
    if not why_not:
        p = _sieve(t, y, level + slope * (t - middle), key)
        why_not = REMEMBERS if p > alpha else ""
    ends = float(t.min()), float(t.max())
    return Trend(slope, low, high, level, middle, *ends, slow, fast, p, why_not)


def _slopes(t: Floats, y: Floats) -> Floats:
    """The slopes between all pairs of runs at different times, in order."""
    early, late = np.triu_indices(len(t), 1)
    apart = t[late] - t[early]
    usable = apart != 0
    return np.sort((y[late] - y[early])[usable] / apart[usable])


def _bounds(slopes: Floats, t: Floats, y: Floats, confidence: float) -> tuple[float, float]:
    """Sen's interval (1968): as many slopes are left out at both ends as Kendall's statistic varies."""
    half = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(_variance(t, y))
    low = floor((len(slopes) - half) / 2)
    high = ceil((len(slopes) + half) / 2)
    below = float(slopes[low - 1]) if low >= 1 else -np.inf
    above = float(slopes[high]) if high < len(slopes) else np.inf
    return below, above


def _variance(t: Floats, y: Floats) -> float:
    """The variance of Kendall's statistic, less where values or times are alike."""
    n = float(len(t))
    total = n * (n - 1) * (2 * n + 5)
    for values in (t, y):
        same = np.unique(values, return_counts=True)[1].astype(np.float64)
        total -= float((same * (same - 1) * (2 * same + 5)).sum())
    return max(total, 0.0) / 18


def _sieve(t: Floats, y: Floats, line: Floats, key: str) -> float:
    """The chance that a series with the same memory and no trend goes one way as often."""
    made = make_noise_like(y - line, SERIES, make_generator(key))
    ahead = np.sign(t[:, np.newaxis] - t)
    seen = abs(_kendall(y[np.newaxis], ahead)[0])
    size = max(TREND_BLOCK // len(t) ** 2, 1)
    more = sum(int((np.abs(_kendall(made[at : at + size], ahead)) >= seen).sum()) for at in range(0, SERIES, size))
    return (more + 1) / (SERIES + 1)


def _kendall(series: Floats, ahead: Floats) -> Floats:
    """Kendall's statistic of each series (a row): pairs that rise less pairs that fall, all counted twice."""
    signs = np.sign(series[:, :, np.newaxis] - series[:, np.newaxis, :])
    found: Floats = np.einsum("sij,ij->s", signs, ahead)
    return found


def find_crossing(trend: Trend, limit: float) -> Crossing | None:
    """Return when a trend reaches a limit; None if it has none, goes the other way, is past it, or beyond sight.

    Nothing is said beyond twice the history: from its first run, `HORIZON` + 1 of its lengths are in sight.
    """
    if trend.why_not:
        return None
    way = limit - trend.level
    end = trend.last + (HORIZON - 1) * (trend.last - trend.first)
    times = [trend.middle + way / slope if slope else np.inf for slope in (trend.slope, trend.slow, trend.fast)]
    time, (earliest, latest) = times[0], sorted(times[1:])
    if not trend.last < time <= end:
        return None
    return Crossing(time, max(earliest, trend.last), latest if latest <= end else None)
