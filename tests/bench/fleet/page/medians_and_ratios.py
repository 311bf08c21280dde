# SPDX-License-Identifier: GPL-3.0-or-later

"""From runs to figures: medians with their spread, ratios pair by pair, and the goals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import MANY, Run, Size

BIG, SHORT, SMALL, WIDE = Size(32, 100), Size(32, 20), Size(8, 20), Size(1000, 20)

RECORDER_SHARE, RECORDER_START = 0.03, 0.3
"""What the recorder may take: this part of the run's CPU, and these seconds besides."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, the lowest, the highest, and how many there are."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """The spread of values; None without any."""
    return Spread(statistics.median(values), min(values), max(values), len(values)) if values else None


def by_round(
    runs: Sequence[Run], contestant: str, size: Size, figure: Callable[[Run], float | None]
) -> dict[int, float]:
    """A contestant's figure in each counted round of a size."""
    chosen = (run for run in runs if run.contestant == contestant and run.size == size and run.round and not run.error)
    return {run.round: value for run in chosen if (value := figure(run)) is not None}


def wall(run: Run) -> float:
    """Seconds from start to end."""
    return run.wall


def cpu(run: Run) -> float:
    """CPU seconds of the controller and of all targets."""
    return run.controller_cpu + run.target_cpu


def pairs(over: dict[int, float], under: dict[int, float]) -> list[float]:
    """The ratio of two contestants in each round that both have."""
    return [over[number] / under[number] for number in sorted(over.keys() & under.keys())]


def ratio(
    runs: Sequence[Run], over: str, under: str, size: Size, figure: Callable[[Run], float] = wall
) -> Spread | None:
    """How many times as long one contestant takes as another, or as much of another figure."""
    return spread(pairs(by_round(runs, over, size, figure), by_round(runs, under, size, figure)))


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal: `value` at `size` must be at least `wanted`, or at most `wanted` if `at_most` is set."""

    text: str
    size: Size
    wanted: float
    value: Callable[[Sequence[Run], Size], Spread | None]
    at_most: bool = False
    unit: str = ""

    def reached(self, found: Spread) -> bool:
        """Whether the median is good enough."""
        return found.median <= self.wanted if self.at_most else found.median >= self.wanted


def against(over: str, under: str = "ours") -> Callable[[Sequence[Run], Size], Spread | None]:
    """How many times as long one contestant takes as another, this project where none is named."""
    return lambda runs, size: ratio(runs, over, under, size)


def against_floor(runs: Sequence[Run], size: Size) -> Spread | None:
    """Our time divided by twice the floor's time plus that of an empty playbook."""
    return spread(pairs(by_round(runs, "ours", size, wall), _limits(runs, size)))


def floor_limit(runs: Sequence[Run], size: Size) -> Spread | None:
    """Return the seconds of twice the floor plus an empty playbook."""
    return spread(list(_limits(runs, size).values()))


def _limits(runs: Sequence[Run], size: Size) -> dict[int, float]:
    floor, noop = (by_round(runs, name, size, wall) for name in ("floor", "noop"))
    return {number: 2 * floor[number] + noop[number] for number in floor.keys() & noop.keys()}


def recorder_share(runs: Sequence[Run], size: Size) -> Spread | None:
    """The recorder's CPU time divided by what it may use in the same run."""
    used = by_round(runs, "recorder", size, lambda run: run.recorder_cpu)
    allowed = by_round(runs, "recorder", size, lambda run: RECORDER_SHARE * cpu(run) + RECORDER_START)
    return spread(pairs(used, allowed))


def recorder_slope(runs: Sequence[Run], size: Size) -> Spread | None:
    """Microseconds of the recorder's CPU a result: from `SMALL`'s number of steps to `size`'s, on the same hosts."""
    few = Size(size.hosts, SMALL.steps)
    high, low = (by_round(runs, "recorder", one, lambda run: run.recorder_cpu) for one in (size, few))
    results = size.results - few.results
    return spread([1e6 * (high[number] - low[number]) / results for number in sorted(high.keys() & low.keys())])


def cpu_a_host(runs: Sequence[Run], size: Size) -> Spread | None:
    """Milliseconds of the controller's CPU for each host, where there are many."""
    return spread([*by_round(runs, MANY, size, lambda run: 1000 * run.controller_cpu / size.hosts).values()])


def cpu_of_more_hosts(runs: Sequence[Run], few: Size | None, many: Size) -> Spread | None:
    """Milliseconds of the controller's CPU for each host that `many` has more than `few`."""
    if few is None or few.hosts == many.hosts:
        return None
    low, high = (by_round(runs, MANY, size, lambda run: run.controller_cpu) for size in (few, many))
    return spread(
        [1000 * (high[number] - low[number]) / (many.hosts - few.hosts) for number in sorted(low.keys() & high.keys())]
    )


GOALS = (
    Goal("plain Ansible / this project", BIG, 100, against("plain")),
    Goal("plain Ansible / this project", SMALL, 12, against("plain")),
    Goal("pyinfra / this project", BIG, 8, against("pyinfra")),
    Goal("pyinfra / this project", SHORT, 1.4, against("pyinfra")),
    Goal("Mitogen / this project", BIG, 20, against("mitogen")),
    Goal("this project, no Python set / this project", SMALL, 1.05, against("ours-auto"), at_most=True),
    Goal("this project / floor", BIG, 2, against("ours", "floor"), at_most=True),
    Goal("`rack-recipes run` / floor", WIDE, 1.2, against(MANY, "floor"), at_most=True),
    Goal("this project / (2 x floor + no-op playbook)", BIG, 1, against_floor, at_most=True),
    Goal("recorder's CPU / (3 % of the run's + 0.3 s)", BIG, 1, recorder_share, at_most=True),
    Goal("recorder's CPU a result", BIG, 25, recorder_slope, at_most=True, unit="us"),
    Goal("controller's CPU a host", WIDE, 30, cpu_a_host, at_most=True, unit="ms"),
)
