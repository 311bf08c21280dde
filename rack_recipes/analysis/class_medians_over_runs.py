# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Series over runs: the median of the twins in each run, or the values of each host where there are few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import log
from typing import Any

from rack_recipes.analysis import host_classes
from rack_recipes.analysis.load_values_over_runs import Series, SeriesValues
from rack_recipes.analysis.methods import change_points, least_meaningful_difference
from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats, medians
from rack_recipes.analysis.methods.change_points import ChangePoint, find_in_many
from rack_recipes.analysis.methods.trends import Trend, find_trend

LEAST_RUNS = 4  # this run, and as many earlier ones as an interval for the next value needs
FEW_HOSTS = 4  # fewer twins than these are looked at one by one
PRESENT = 0.75  # of the runs: a host that was there less often would move the median by coming and going
DAY = 86400.0
FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OverRuns:
    """One value for each run that has one, the oldest first, this run last.

    `hosts` are those whose median it is; `label` is their class in words. `places` are the runs among all runs of the
    history, `days` their start in days since 1970. `floor` is the least difference that matters, in the series' unit.
    """

    series: Series
    label: str
    hosts: Sequence[str]
    places: Sequence[int]
    days: Floats
    values: Floats
    floor: float

    @property
    def key(self) -> str:
        """The name of the series, which seeds the random numbers of its tests."""
        return "\x1f".join((*map(str, self.series), self.label, *(self.hosts if len(self.hosts) == 1 else ())))

    @property
    def whose(self) -> str:
        """The hosts in words; empty for the run itself."""
        if len(self.hosts) == 1:
            return self.hosts[0]
        return f"median of {len(self.hosts)} hosts{f' of {self.label}' if self.label else ''}"


def over_runs(
    series: Iterable[SeriesValues], runs: Sequence[Row], attributes: host_classes.Attributes, least: int
) -> Iterator[OverRuns]:
    """The series of hosts and of classes that have a value in this run and in at least `least` runs; `runs` are all."""
    days = np.array([day_of(run.get("started")) for run in runs])
    twins = host_classes.Twins(attributes)
    for one in series:
        classes = {**twins.by_class(one.hosts)}
        if "" in one.hosts:
            classes["the run"] = [[*one.hosts].index("")]
        for label, places in classes.items():
            for part in [places] if len(places) >= FEW_HOSTS else [[place] for place in places]:
                yield from _over_runs(one, label, part, days, least)


def _over_runs(one: SeriesValues, label: str, places: Sequence[int], days: Floats, least: int) -> Iterator[OverRuns]:
    values = one.values[_steady(one.values, places)]
    kept = np.flatnonzero(np.isfinite(values).any(axis=0))
    if len(kept) < least or not np.isfinite(values[:, -1]).any():
        return
    found = medians(values[:, kept], axis=0)
    hosts = [one.hosts[place] for place in places]
    floor = least_meaningful_difference.floor(found, None, least_meaningful_difference.resolution(found))
    yield OverRuns(one.series, label, hosts, kept.tolist(), days[kept], found, floor)


def _steady(values: Floats, places: Sequence[int]) -> Sequence[int]:
    """The hosts that were there in most runs; all of them where none was."""
    counts = np.isfinite(values[places]).sum(axis=1)
    enough = PRESENT * np.isfinite(values[places]).any(axis=0).sum()
    return [place for place, count in zip(places, counts, strict=True) if count >= enough] or places


def day_of(time: str | None) -> float:
    """An ISO time in days since 1970; NaN where there is none."""
    try:
        started = datetime.fromisoformat(time or "")
    except ValueError:
        return float("nan")
    return (started.replace(tzinfo=started.tzinfo or UTC) - FIRST_DAY).total_seconds() / DAY


def is_counter(one: OverRuns) -> bool:
    """Whether a number of the context only ever rises, or only falls: a clock, an uptime or a count of all time."""
    steps = np.diff(one.values)
    return bool(one.series.key) and bool((steps > 0).all() or (steps < 0).all())


def level_changes(series: Sequence[OverRuns]) -> Mapping[str, Sequence[ChangePoint]]:
    """The changes of level of each series, by its key; series without any are left out."""
    enough = [one for one in series if len(one.values) >= change_points.LEAST_RUNS]
    found = find_in_many({one.key: one.values for one in enough}, floors={one.key: one.floor for one in enough})
    kept = {one.key: without_drift(one, found[one.key]) for one in enough if one.key in found}
    return {key: changes for key, changes in kept.items() if changes}


def without_drift(one: OverRuns, changes: Sequence[ChangePoint]) -> Sequence[ChangePoint]:
    """The changes of level, or none where a straight line explains the series better than levels do (BIC)."""
    edges = [0, *(change.place for change in changes), len(one.values)]
    levels = sum(_squares(one.values[start:end]) for start, end in pairwise(edges))
    slope, start = np.polyfit(one.days - one.days[0], one.values, 1) if np.ptp(one.days) else (0.0, one.values.mean())
    line = _squares(one.values - slope * (one.days - one.days[0]) - start)
    n = len(one.values)
    return changes if _bic(levels, n, 2 * len(changes) + 1) <= _bic(line, n, 2) else ()


def _squares(values: Floats) -> float:
    return float(((values - values.mean()) ** 2).sum())


def _bic(squares: float, number: int, parameters: int) -> float:
    return number * log(max(squares, 1e-300) / number) + parameters * log(number)


def trend_of(one: OverRuns, changes: Sequence[ChangePoint]) -> Trend | None:
    """The trend of the runs since the last change of level; None where there is too little to say anything.

    Time is in days. See `why_not` of the trend: it may be none.
    """
    start = max((change.place for change in changes), default=0)
    days = one.days[start:]
    if len(days) < 2 or not np.isfinite(days).all():
        return None
    return find_trend(one.values[start:], one.key, days, least_shift=one.floor)
