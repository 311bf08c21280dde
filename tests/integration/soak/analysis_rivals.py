# SPDX-License-Identifier: GPL-3.0-or-later

"""What the study compares the analysis with: simple rules that people use, and another library."""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt

import numpy as np
from scipy import stats

from analysis_worlds import Array, Attributes

FIRST = 10  # runs that a simple rule learns from
FIXED = 0.1  # the usual threshold: 10 % off
Z, MAD_Z = 3.0, 3.5  # the usual limits


def z_score_shift(values: Array) -> list[int]:
    """The first run that is 3 deviations from the mean of all runs before it."""
    runs = range(FIRST, len(values))
    return [run for run in runs if abs(values[run] - values[:run].mean()) > Z * values[:run].std(ddof=1)][:1]


def fixed_shift(values: Array) -> list[int]:
    """The first run that is 10 % off the mean of the first ten."""
    start = values[:FIRST].mean()
    return [run for run in range(FIRST, len(values)) if abs(values[run] - start) > FIXED * abs(start)][:1]


def pelt(values: Array) -> list[int]:
    """PELT of the package ruptures, squared error, penalty 3 s2 log n; s from the differences of neighbours."""
    import ruptures

    spread = 1.4826 * np.median(np.abs(np.diff(values))) / sqrt(2)
    search = ruptures.Pelt("l2", min_size=3, jump=1).fit(values.reshape(-1, 1))
    return search.predict(3 * spread**2 * log(len(values)))[:-1]


def least_squares(values: Array) -> bool:
    """Whether the slope of a straight line is significant at 5 %."""
    return bool(stats.linregress(np.arange(len(values)), values).pvalue < 0.05)


def fixed_drift(values: Array) -> bool:
    """Whether the last ten runs are 10 % off the first ten."""
    return bool(abs(values[-FIRST:].mean() / values[:FIRST].mean() - 1) > FIXED)


def z_score(values: Array) -> list[int]:
    """The places that are 3 deviations from the mean."""
    return np.flatnonzero(np.abs(values - values.mean()) > Z * values.std(ddof=1)).tolist()


def mad_z_score(values: Array) -> list[int]:
    """The places that are 3.5 scaled MADs from the median."""
    apart = np.abs(values - np.median(values))
    return np.flatnonzero(apart > MAD_Z * 1.4826 * np.median(apart)).tolist()


def fixed_outlier(values: Array) -> list[int]:
    """The places that are 10 % off the median."""
    return np.flatnonzero(np.abs(values / np.median(values) - 1) > FIXED).tolist()


Named = set[tuple[str, str]]


def _groups(failing: frozenset[int], attributes: Attributes) -> Iterable[tuple[tuple[str, str], int, int]]:
    for name, values in attributes.items():
        for value, hosts in values.items():
            yield (name, value), len(failing & {*hosts}), len(hosts)


def half_fails(failing: frozenset[int], hosts: int, attributes: Attributes) -> Named:
    """What more than half of the hosts share that fail."""
    return {name for name, bad, size in _groups(failing, attributes) if bad >= 2 and bad > size / 2}


def z_score_cause(failing: frozenset[int], hosts: int, attributes: Attributes) -> Named:
    """What hosts share that fail more often than all do, by 3 standard errors."""
    rate = len(failing) / hosts
    error = sqrt(rate * (1 - rate))
    return {name for name, bad, size in _groups(failing, attributes) if bad / size - rate > Z * error / sqrt(size)}
