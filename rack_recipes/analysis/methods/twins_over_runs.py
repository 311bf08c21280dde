# SPDX-License-Identifier: GPL-3.0-or-later

"""A host, or a group of hosts, beside its twins over the runs: whether it drifts, and since when it is elsewhere.

Everything is computed from differences: each value less the median of all twins in the same run. What moves all twins,
such as the weather, is not in them.

Drift: Kendall's statistic. Its variance is that of series with the memory of the twins (Hamed and Rao 1998, Journal of
Hydrology 204: 182-196, AR(1)). The memory is the median of all twins, each without its own trend: so a host that drifts
does not raise the bar by which it is judged. Level: the greatest two-sample t2 of all splits with the same memory, by
Student's t times the number of splits (Bonferroni).

A host, or a group, must be unusual among its twins, too: where all of them wander, none is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import asin, erfc, pi, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from rack_recipes.analysis.methods.arrays import Floats, Marks, Places, medians
from rack_recipes.analysis.methods.change_points_and_trends import LEAST_SIDE, MOST, scan
from rack_recipes.analysis.methods.spread_and_resolution import NORMAL, median_deviation
from rack_recipes.analysis.methods.statistics_without_numpy import student_quantile, student_two_sided

RARE = 0.01  # a chance above this is never enough
LEAST_SLOPE = 1.0  # of the slope by least squares, in its deviations: a steady series has more
UNUSUAL = 3.5  # deviations from the median of the twins (Iglewicz and Hoaglin 1993)


class Moves(NamedTuple):
    """Of each series (a row) how far it goes one way (Kendall's z), and the greatest t of all splits with its place.

    Both are corrected for the memory of the twins. `splits` is how many places were tried, `runs` how many runs.
    """

    level: Floats
    places: Places
    splits: int
    runs: int
    drift: Floats

    def drift_p(self, row: int) -> float:
        """The chance of so steady a series without a trend."""
        return erfc(float(self.drift[row]) / sqrt(2))

    def level_p(self, row: int) -> float:
        """The chance of such a difference of levels at any place, without a change."""
        return min(self.splits * student_two_sided(float(self.level[row]), self.runs - 2), 1.0)

    def drifts_at(self, p: float) -> Marks:
        """Mark the series whose drift has at most this chance."""
        return self.drift >= NormalDist().inv_cdf(1 - p / 2)

    def levels_at(self, p: float) -> Marks:
        """Mark the series whose change of level has at most this chance."""
        return self.level >= _greatest_t(p / self.splits, self.runs - 2)


@cache
def _greatest_t(p: float, freedom: int) -> float:
    return student_quantile(1 - p / 2, freedom)


def greatest_p(count: Callable[[float], int], tests: int, rate: float) -> float:
    """The greatest p that is kept, 0 if none is (Benjamini and Hochberg 1995); `count` says how many have such a p.

    Only what is rare is kept: so few of the tests have a p of their own.
    """
    p = RARE
    while (found := count(p)) and (bound := rate * found / tests) < p:
        p = bound
    return p if found else 0.0


def subtract_twins(values: Floats) -> Floats:
    """The values of hosts (rows) in runs (columns) less the median of each run; a gap is the host's own median."""
    apart = values - medians(values, axis=0)
    gaps = np.isnan(apart)
    if gaps.any():
        apart = np.where(gaps, np.nanmedian(apart, axis=1, keepdims=True), apart)
    return apart


def measure_moves(series: Floats) -> Moves:
    """How the series (rows) of hosts move."""
    memory = typical_memory(series)
    return measure_levels(series, LEAST_SIDE, memory)._replace(drift=_kendall_z(series, memory))


def measure_levels(series: Floats, least_after: int, memory: float) -> Moves:
    """The levels of series (rows) alone; `least_after` is how many runs there are at least at the new one."""
    scores, places = scan(series, least_after)
    n: int = series.shape[1]
    level = np.sqrt(scores * (1 - memory) / (1 + memory))
    return Moves(level, places, n - least_after - LEAST_SIDE + 1, n, np.zeros(len(series)))


def typical_memory(series: Floats) -> float:
    """How much of a difference is left in the next run, 0 to .95: the median of all series, each without its trend.

    Corrected for the shortness of the series like `measure_memory`.
    """
    n: int = series.shape[1]
    times = np.arange(n) - (n - 1) / 2
    rest = series - series.mean(axis=1, keepdims=True)
    rest -= np.outer(rest @ times / (times @ times), times)
    squares = np.einsum("ij,ij->i", rest, rest)
    varied = squares > 0
    if not varied.any():
        return 0.0
    phi = np.einsum("ij,ij->i", rest[varied, 1:], rest[varied, :-1]) / squares[varied]
    corrected = (n * float(np.median(phi)) + 2) / (n - 4)
    return min(max(corrected, 0.0), MOST)


def _kendall_z(series: Floats, memory: float) -> Floats:
    """Kendall's statistic of each series in its deviations, corrected for continuity; 0 where there is hardly a slope.

    A slope is looked for by least squares first: most series have none.
    """
    n: int = series.shape[1]
    found, slopes = np.zeros(len(series)), slopes_of(series)
    rows = np.flatnonzero(np.abs(slopes) * sqrt((n**3 - n) / 12) > LEAST_SLOPE * series.std(axis=1))
    steep, rises = series[rows], np.zeros(len(rows))
    for apart in range(1, n):
        rises += np.sign(steep[:, apart:] - steep[:, :-apart]).sum(axis=1)
    variance = n * (n - 1) * (2 * n + 5) / 18 * _inflation(n, memory)
    found[rows] = np.maximum(np.abs(rises) - 1, 0.0) / sqrt(variance)
    return found


@cache
def _inflation(n: int, memory: float) -> float:
    """By how much memory raises the variance of Kendall's statistic (Hamed and Rao 1998), for AR(1)."""
    ranks = [6 / pi * asin(memory ** float(lag) / 2) for lag in range(1, n)]
    shares = [(n - lag) * (n - lag - 1) * (n - lag - 2) for lag in range(1, n)]
    total = sum(share * rank for share, rank in zip(shares, ranks, strict=True))
    return 1 + 2 / (n * (n - 1) * (n - 2)) * total


def mark_groups(groups: Sequence[Sequence[int]], hosts: int) -> Floats:
    """For each group (a row) 1 for the hosts that belong to it, and 0 for the others."""
    inside = np.zeros((len(groups), hosts))
    for row, group in enumerate(groups):
        inside[row, [*group]] = 1.0
    return inside


def group_series(apart: Floats, inside: Floats) -> Floats:
    """The mean of each group less that of the other hosts, in each run; each host from its own median.

    Differences are cut to `UNUSUAL` deviations: so one host does not move its group.
    """
    own = apart - medians(apart, axis=1)[:, np.newaxis]
    reach = UNUSUAL * NORMAL * float(np.median(np.abs(own)))
    own = np.clip(own, -reach, reach) if reach else own
    number, all_hosts = inside.sum(axis=1, keepdims=True), own.sum(axis=0)
    of_groups = inside @ own
    found: Floats = of_groups / number - (all_hosts - of_groups) / (len(own) - number)
    return found


def shifts_at(apart: Floats, place: int) -> Floats:
    """By how much each host (row) is higher from a run on than before, in the unit of the values."""
    found: Floats = apart[:, place:].mean(axis=1) - apart[:, :place].mean(axis=1)
    return found


def slopes_of(apart: Floats) -> Floats:
    """The least squares slope of each host (row), a run."""
    times = np.arange(apart.shape[1]) - (apart.shape[1] - 1) / 2
    found: Floats = apart @ times / (times @ times)
    return found


def is_unusual(moves: Floats, row: int) -> bool:
    """Whether one host has moved further from the median of all than `UNUSUAL` deviations."""
    spread = NORMAL * median_deviation(moves)
    return abs(float(moves[row] - np.median(moves))) > UNUSUAL * spread


def group_chance(moves: Floats, group: Sequence[int]) -> float:
    """The chance that the hosts of a group have moved so much further than the others (Mann and Whitney 1947)."""
    outside = np.delete(moves, [*group])
    wins = abs(float(np.sign(moves[[*group], np.newaxis] - outside).sum())) / 2
    m, k = len(group), len(outside)
    return erfc(max(wins - 0.5, 0.0) / sqrt(m * k * (m + k + 1) / 12) / sqrt(2))


def furthest_of(moves: Floats, group: Sequence[int]) -> int:
    """The host of a group that has moved furthest to where the group has moved."""
    apart = moves[[*group]] - np.median(np.delete(moves, [*group]))
    return group[int(np.argmax(apart * np.sign(apart.mean())))]
