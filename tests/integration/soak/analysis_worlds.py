# SPDX-License-Identifier: GPL-3.0-or-later

"""Synthetic histories for the study of the analysis: 200 hosts x 50 runs, and what was put into them.

numpy alone, so that the environment of another tool can make the same histories: see ask_otava.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

HOSTS, RUNS = 200, 50
LEVEL, SIGMA = 100.0, 5.0
SHARE = 0.1  # of hosts that something was put into
Random = np.random.Generator
Array = np.ndarray


def _remembering(random: Random, rows: int, columns: int) -> Array:
    values = random.normal(size=(rows, columns + 50))
    for place in range(1, columns + 50):
        values[:, place] = 0.6 * values[:, place - 1] + 0.8 * values[:, place]
    return values[:, 50:]


def _spiky(random: Random, rows: int, columns: int) -> Array:
    spikes = random.random((rows, columns)) < 0.05
    return random.normal(size=(rows, columns)) + spikes * random.choice([-10, 10], size=(rows, columns))


NOISES: Mapping[str, Callable[[Random, int, int], Array]] = {
    "normal": lambda random, rows, columns: random.normal(size=(rows, columns)),
    "long tails (t3)": lambda random, rows, columns: random.standard_t(3, size=(rows, columns)),
    "a spike in 20 runs": _spiky,
    "each run remembers the last (AR(1) of .6)": _remembering,
}
SKEWED = "skewed (lognormal .5)"
NOISES_OF_TWINS: Mapping[str, Callable[[Random, int, int], Array]] = {
    "normal": NOISES["normal"],
    "long tails (t3)": NOISES["long tails (t3)"],
    SKEWED: lambda random, rows, columns: (np.exp(0.5 * random.normal(size=(rows, columns))) - 1) / 0.5,
}


@dataclass(frozen=True)
class History:
    """A value for each host (row) and run (column), and the place and the size of what was put into some hosts."""

    values: Array
    planted: Mapping[int, tuple[int, float]]

    def digest(self) -> str:
        """A digest of the values to 9 digits."""
        return sha256(np.round(self.values, 9).tobytes()).hexdigest()[:16]


def random_of(seed: int, *names: str) -> Random:
    """The random numbers of one part of the study."""
    return np.random.default_rng([seed, *(int.from_bytes(sha256(name.encode()).digest()[:4]) for name in names)])


def shifted(seed: int, noise: str, hosts: int = HOSTS) -> History:
    """A tenth of the hosts is at another level since a run: 2, 3 or 4 deviations up or down."""
    random = random_of(seed, "shift", noise)
    values = LEVEL + SIGMA * NOISES[noise](random, hosts, RUNS)
    planted = {}
    for host in range(int(hosts * SHARE)):
        place, size = int(random.integers(8, RUNS - 7)), float(random.choice([-4, -3, -2, 2, 3, 4]))
        values[host, place:] += SIGMA * size
        planted[host] = (place, size)
    return History(values, planted)


def drifting(seed: int, noise: str, hosts: int = HOSTS) -> History:
    """A tenth of the hosts drifts by .05 deviations a run."""
    random = random_of(seed, "drift", noise)
    values = LEVEL + SIGMA * NOISES[noise](random, hosts, RUNS)
    planted = {}
    for host in range(int(hosts * SHARE)):
        slope = 0.05 * float(random.choice([-1, 1]))
        values[host] += SIGMA * slope * np.arange(RUNS)
        planted[host] = (0, slope)
    return History(values, planted)


@dataclass(frozen=True)
class Fleet:
    """One measurement of many hosts: its runs (rows), the classes as slices of hosts, and the hosts that differ."""

    runs: Array
    classes: tuple[slice, ...]
    planted: frozenset[int]


SIZES = (40, 40, 40, 20, 20, *([8] * 5))  # 200 hosts
TWINS_RUNS = 21  # the last is judged


def twins(seed: int, noise: str, measurement: int) -> Fleet:
    """Each measurement has its own level and spread. In every second one a host is 8 deviations off in the last run."""
    random = random_of(seed, "twins", noise, str(measurement))
    level, spread = 10 ** random.uniform(0, 3), 10 ** random.uniform(-2.5, -1.1)
    runs = NOISES_OF_TWINS[noise](random, TWINS_RUNS, HOSTS)
    planted = frozenset({int(random.integers(HOSTS))} if measurement % 2 else ())
    for host in planted:
        runs[-1, host] = 8 * random.choice([-1, 1])
    ends = np.cumsum(SIZES).tolist()
    classes = tuple(slice(end - size, end) for end, size in zip(ends, SIZES, strict=True))
    return Fleet(level * (1 + spread * runs), classes, planted)


Attributes = dict[str, dict[str, list[int]]]


@dataclass(frozen=True)
class Failures:
    """The hosts that failed, what is known of all hosts, and the (attribute, value) that made some of them fail."""

    failing: frozenset[int]
    attributes: Attributes
    planted: frozenset[tuple[str, str]]


# What was put in: attributes of which one value fails, how often its hosts do, and how often all others do.
CAUSES: Mapping[str, tuple[tuple[str, ...], float, float]] = {
    "one leaf, 60 % of it fail, noise 2 %": (("leaf",), 0.6, 0.02),
    "one leaf, 60 % of it fail, noise 10 %": (("leaf",), 0.6, 0.1),
    "a firmware, 90 % of it fail, noise 5 %": (("firmware",), 0.9, 0.05),
    "a leaf and a batch, 80 % of both fail, noise 5 %": (("leaf", "batch"), 0.8, 0.05),
    "nothing but noise of 5 %": ((), 0.0, 0.05),
}


def failures(seed: int, cause: str, world: int) -> Failures:
    """200 hosts in 20 racks; a leaf is a rack's, a firmware belongs to a NIC, and all have one OS."""
    random = random_of(seed, "causes", cause, str(world))
    rack = np.arange(HOSTS) // 10
    nic = random.integers(4, size=HOSTS)
    columns = {"rack": rack, "leaf": rack, "feed": rack % 4, "batch": random.integers(12, size=HOSTS), "nic": nic}
    columns |= {"firmware": nic * 2 + random.integers(2, size=HOSTS), "os": np.zeros(HOSTS, dtype=int)}
    names, chance, noise = CAUSES[cause]
    fails = random.random(HOSTS) < noise
    planted = set()
    for name in names:
        value = random.choice(columns[name])
        fails |= (columns[name] == value) & (random.random(HOSTS) < chance)
        planted.add((name, str(value)))
    attributes = {
        name: {str(value): np.flatnonzero(column == value).tolist() for value in np.unique(column)}
        for name, column in columns.items()
    }
    return Failures(frozenset(np.flatnonzero(fails).tolist()), attributes, frozenset(planted))


STEADY, FLAKY, CHANGED, BROKEN = "steady", "flaky", "fails since its input changed", "fails since some run"
KINDS = {FLAKY: 20, CHANGED: 10, BROKEN: 10}  # of 200 hosts; all others are steady


@dataclass(frozen=True)
class Verdicts:
    """Whether each host (row) failed in each run (column), the input of each run, and what each host is."""

    failed: Array
    inputs: Array
    kinds: tuple[str, ...]
    rates: Array


def verdicts(seed: int) -> Verdicts:
    """Flaky hosts fail in 5 to 40 % of runs. The input changes in the middle, for all hosts."""
    random = random_of(seed, "flakes")
    kinds = tuple(kind for kind, count in KINDS.items() for _turn in range(count))
    kinds += (STEADY,) * (HOSTS - len(kinds))
    rates = random.uniform(0.05, 0.4, size=HOSTS)
    inputs = (np.arange(RUNS) >= RUNS // 2).astype(int)
    failed = np.zeros((HOSTS, RUNS), dtype=bool)
    for host, kind in enumerate(kinds):
        since = {CHANGED: RUNS // 2, BROKEN: int(random.integers(5, RUNS - 5))}.get(kind, RUNS)
        failed[host] = random.random(RUNS) < rates[host] if kind == FLAKY else np.arange(RUNS) >= since
    return Verdicts(failed, inputs, kinds, rates)
