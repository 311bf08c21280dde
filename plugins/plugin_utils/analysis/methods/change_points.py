# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of level in a series of runs: where they are, and how often noise alone would show such a change.

The method: the greatest two-sample t2 over all places with at least 3 runs on each side, judged by permutations; the
change must survive without the most extreme value of its shorter side (one spike is no change of level), and must be
rare also among series with the same memory (an AR(1) sieve). Both parts are then searched again.

False alarms at .01, in % of series without a change, n = 20 / 50: normal noise .5 / .2, t3 .2 / .5, one spike 0 / 0,
AR(1) of .6 7.5 / 5.2. A change of 10 % under noise of 5 % is found within 2 runs in 53 % of series of 20 runs, one of
20 % in 97 % (notes/analysis.md, 2). Two opposite changes near each other may hide each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods import multiple_tests
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.arrays import Floats, Places, floats
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.memory_of_series import (
    generator,
    noise_like,
)

LEAST_RUNS = 10
"""Shorter series have no answer: no order of 9 values is rarer than 1 %."""
LEAST_SIDE = 3
ALPHA = 0.01
PERMUTATIONS = 499
MANY_PERMUTATIONS = 9_999
MOST_PERMUTATIONS = 99_999
BLOCK = 2_000_000  # values at a time
KEPT_SHIFT = 0.5


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change of level: the place of the first run at the new level, the mean before and after, and its chance.

    `p` is the greater one of both tests. `start` and `end` bound the part of the series in which it was found, with the
    runs at both levels.
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


def find_change_points(
    values: ArrayLike, key: str, *, alpha: float = ALPHA, floor: float = 0.0, permutations: int = PERMUTATIONS
) -> tuple[ChangePoint, ...]:
    """Return the changes of level in a series, the earliest run first; none for fewer than 10 runs.

    `key` names the series and seeds the permutations. `floor` is the least shift that counts, in the values' unit.
    """
    numbers = floats(values)
    found = _search(numbers, 0, key, alpha, floor, permutations)
    return tuple(sorted(found, key=lambda change: change.place))


def _search(
    numbers: Floats, start: int, key: str, alpha: float, floor: float, permutations: int
) -> Iterator[ChangePoint]:
    change = best_change(numbers, key, alpha=alpha, floor=floor, permutations=permutations)
    if change is None:
        return
    place = change.place
    yield ChangePoint(place + start, change.before, change.after, change.p, start, start + len(numbers))
    yield from _search(numbers[:place], start, key, alpha, floor, permutations)
    yield from _search(numbers[place:], start + place, key, alpha, floor, permutations)


def best_change(
    values: ArrayLike, key: str, *, alpha: float = ALPHA, floor: float = 0.0, permutations: int = PERMUTATIONS
) -> ChangePoint | None:
    """Return the one change of level that is likeliest in a series, None if it may as well be noise."""
    numbers = floats(values)
    n = len(numbers)
    if n < LEAST_RUNS or numbers.min() == numbers.max():
        return None
    numbers = numbers - np.median(numbers)
    scores, places = _scan(numbers[np.newaxis])
    place = int(places[0])
    before, after = numbers[:place], numbers[place:]
    shift = float(after.mean() - before.mean())
    if abs(shift) < floor or not _survives(before, after):
        return None
    p = _p(numbers, float(scores[0]), place, alpha, generator(key), permutations)
    if p > alpha:
        return None
    middle = float(np.median(floats(values)))
    return ChangePoint(place, float(before.mean()) + middle, float(after.mean()) + middle, p, 0, n)


def _scan(series: Floats) -> tuple[Floats, Places]:
    """For each series (a row) the greatest t2 of all places that split it, and the first such place."""
    n = series.shape[1]
    series = series - series.mean(axis=1, keepdims=True)
    k = np.arange(LEAST_SIDE, n - LEAST_SIDE + 1)
    sums = np.cumsum(series, axis=1)[:, k - 1]
    between = sums**2 * (n / (k * (n - k)))
    within = (series**2).sum(axis=1, keepdims=True) - between
    least = np.finfo(np.float64).eps * (between + within)
    scores = (n - 2) * between / np.maximum(within, least)
    best = scores.argmax(axis=1)
    return scores[np.arange(len(series)), best], k[best]


def _survives(before: Floats, after: Floats) -> bool:
    """Whether half of the shift is left without the value that makes most of it, on the shorter side."""
    shift = after.mean() - before.mean()
    sides = [(before, after, -shift), (after, before, shift)]
    least = min(len(before), len(after))
    return all(_kept(own, other, towards) for own, other, towards in sides if len(own) == least)


def _kept(own: Floats, other: Floats, shift: float) -> bool:
    extreme = np.argmax(own * np.sign(shift))
    rest = float(np.delete(own, extreme).mean() - other.mean())
    return bool(rest * np.sign(shift) >= KEPT_SHIFT * abs(shift))


def _p(
    numbers: Floats, score: float, place: int, alpha: float, random: np.random.Generator, permutations: int
) -> float:
    """The chance of such a score among series in another order, or with the same memory: the greater of both."""
    level = np.where(np.arange(len(numbers)) < place, numbers[:place].mean(), numbers[place:].mean())
    p = 0.0
    for kind in ("order", "memory"):
        more = 0
        for size in _blocks(permutations, len(numbers)):
            made = (
                random.permuted(np.broadcast_to(numbers, (size, len(numbers))), axis=1)
                if kind == "order"
                else noise_like(numbers - level, size, random)
            )
            more += int((_scan(made)[0] >= score * (1 - 1e-9)).sum())
        p = max(p, (more + 1) / (permutations + 1))
        if p > alpha:
            break
    return p


def _blocks(permutations: int, length: int) -> Iterator[int]:
    size = max(BLOCK // length, 1)
    for start in range(0, permutations, size):
        yield min(size, permutations - start)


def find_in_many(
    series: Mapping[str, ArrayLike], *, rate: float = multiple_tests.RATE, floors: Mapping[str, float] | None = None
) -> dict[str, tuple[ChangePoint, ...]]:
    """Return the changes of many series, by key; on average at most `rate` of the series named have none.

    Candidates at .01 are tried again with at least 9,999 permutations, so that their p can hold among all the others.
    """
    floors = floors or {}
    enough = min(max(MANY_PERMUTATIONS, ceil(len(series) / rate)), MOST_PERMUTATIONS)
    found: dict[str, tuple[ChangePoint, ...]] = {}
    for key, values in series.items():
        floor = floors.get(key, 0.0)
        if find_change_points(values, key, floor=floor):
            changes = find_change_points(values, key, floor=floor, permutations=enough)
            found |= {key: changes} if changes else {}
    p = [min((change.p for change in found.get(key, ())), default=1.0) for key in series]
    bound = multiple_tests.threshold(p, rate)
    kept = {key: tuple(change for change in changes if change.p <= bound) for key, changes in found.items()}
    return {key: changes for key, changes in kept.items() if changes}
