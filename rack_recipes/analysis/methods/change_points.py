# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of level in a series of runs: where they are, and how often noise alone would show such a change.

The method: spikes are cut to 4 deviations from the median of the 5 runs around them. Then the greatest two-sample t2
over all places with at least 3 runs on each side is judged by permutations. The change must survive without the most
extreme value of its shorter side. It must be rare also among series with the same memory (an AR(1) sieve). Both sides
are searched in the same way, before the memory is measured: further changes are no memory.

False alarms at .01, in % of series of 20 / 50 runs without a change (2,000 series, 500 or more that remember): normal
noise .6 / .5, t3 .7 / 1.0, spikes in 5 % of runs 1.0 / .9; where each run remembers the last, AR(1), they are more: 10
/ 6 for a memory of .6, 22 / 13 for .8, 31 / 26 for .94. A change of 10 % under noise of 5 % is found within 2 runs in
60 % of series of 20 runs, one of 20 % in 97 %. Two opposite changes near each other may hide each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods import multiple_tests
from rack_recipes.analysis.methods.arrays import Floats, Places, floats
from rack_recipes.analysis.methods.autocorrelated_noise import generator, noise_like
from rack_recipes.analysis.methods.moments import NORMAL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

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
    numbers = floats(values)
    if len(numbers) < LEAST_RUNS:
        return ()
    middle = float(np.median(numbers))
    apart = without_spikes(numbers - middle)
    found = _search(apart, Search(key, alpha, floor, permutations))
    bounds = [0, *sorted(found), len(numbers)]
    levels = [float(apart[a:b].mean()) + middle for a, b in pairwise(bounds)]
    changes = (
        ChangePoint(place, levels[number], levels[number + 1], found[place], bounds[number], bounds[number + 2])
        for number, place in enumerate(sorted(found))
    )
    return tuple(change for change in changes if abs(change.shift) >= floor)


def without_spikes(values: Floats) -> Floats:
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
    score, place = best_split(numbers)
    before, after = numbers[:place], numbers[place:]
    if abs(after.mean() - before.mean()) < how.floor or not is_more_than_a_spike(before, after):
        return {}
    p = _chance(score, numbers, how, _other_orders)
    if p > how.alpha:
        return {}
    inside = _search(before, how) | {place + at: own for at, own in _search(after, how).items()}
    residuals = np.concatenate([part - part.mean() for part in np.split(numbers, sorted([*inside, place]))])
    p = max(p, _chance(score, residuals, how, noise_like))
    return {} if p > how.alpha else inside | {place: p}


def best_split(values: Floats) -> tuple[float, int]:
    """Return the greatest t2 of all places that split a series, and the first such place."""
    scores, places = _scan(values[np.newaxis])
    return float(scores[0]), int(places[0])


def _scan(series: Floats) -> tuple[Floats, Places]:
    """For each series (a row) the greatest t2 and its place. Without any spread the t2 is 0."""
    n = series.shape[1]
    series = series - series.mean(axis=1, keepdims=True)
    k = np.arange(LEAST_SIDE, n - LEAST_SIDE + 1)
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
    random = generator(how.key)
    more = 0
    for size in _blocks(how.permutations, len(values)):
        more += int((_scan(make(values, size, random))[0] >= score * (1 - ROUNDING)).sum())
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
    series: Mapping[str, ArrayLike], *, rate: float = multiple_tests.RATE, floors: Mapping[str, float] | None = None
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
    bound = multiple_tests.threshold([min((one.p for one in found), default=1.0) for found in first.values()], rate)
    kept = {key: tuple(change for change in changes if change.p <= bound) for key, changes in first.items()}
    return {key: changes for key, changes in kept.items() if changes}
