# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the measurements of a run are at another level than when an earlier run was good.

And how small a shift would be seen. The reference are the runs up to the earlier one, and those after it where these
are few, as far as they are of one level with it. One value for each class of hosts, their median, is judged against
them by Student's t for the next value (Bonferroni over all series, 1 % in all), and must be beyond all of them. A host
that moves alone does not move a median: it is judged by how far any of its twins ever was from where it mostly is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from rack_recipes.analysis.findings import format_amount, format_count, format_percent
from rack_recipes.analysis.methods.arrays import Floats
from rack_recipes.analysis.methods.intervals_and_multiple_tests import LEAST_HISTORY, SURE, chance_beyond
from rack_recipes.analysis.methods.outliers import LEAST_GROUP
from rack_recipes.analysis.methods.spread_and_resolution import find_resolution, is_more_than
from rack_recipes.analysis.methods.statistics_without_numpy import student_quantile, student_two_sided
from rack_recipes.analysis.methods.twins_over_runs import subtract_twins
from rack_recipes.analysis.run_data import Attributes, RunData, Twins
from rack_recipes.analysis.values_over_runs import (
    KnownLimits,
    OverRuns,
    Series,
    SeriesValues,
    find_level_changes,
    load_series,
    values_by_run,
)
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.earlier_runs import LAST_RUNS, earlier_runs

if TYPE_CHECKING:
    from sqlalchemy import Engine

ENOUGH = 10  # runs: with fewer up to the first run those after it count, too; and a value that never varied is sure
SEEN = 0.9  # of the cases in which a shift as small as is told would be seen
TOLD = ("whose", "before", "after", "p", "worse")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shift:
    """A measurement that is at another level than in the reference, in its unit; `whose` are the hosts in words.

    `worse` is what the limits say, None where there are none. `p` is the chance of it without a change.
    """

    series: Series
    whose: str
    before: float
    after: float
    p: float
    worse: bool | None

    @property
    def in_words(self) -> str:
        """What is at another level, in a phrase."""
        before, after = (format_amount(value, self.series.unit) for value in (self.before, self.after))
        percent = format_percent(self.before, self.after)
        doubt = "" if self.worse is not None else "; no limit tells which direction is good"
        return f"{self.series.in_words} ({self.whose}): {before} -> {after}{percent}{doubt}"


@dataclass(frozen=True, slots=True)
class Levels:
    """What a comparison of levels has found: `shifts`, the surest first, of `series` series with up to `runs` runs.

    `smallest` is for each series the smallest shift that 9 of 10 such comparisons would tell, as a share of its level.
    """

    shifts: Sequence[Shift]
    series: int
    runs: int
    smallest: Sequence[float]

    @property
    def worse(self) -> list[Shift]:
        """The shifts that are not known to be for the better."""
        return [one for one in self.shifts if one.worse is not False]

    def to_data(self) -> dict[str, Any]:
        """The same as plain values, with `power` in words."""
        shifts = [{**one.series.about, **{name: getattr(one, name) for name in TOLD}} for one in self.shifts]
        return {"power": self.power, "series": self.series, "runs": self.runs, "shifts": shifts}

    @property
    def power(self) -> str:
        """What was compared, and which shift would be seen."""
        if not self.series:
            return (
                f"only verdicts and criteria were compared: {format_count(self.runs, 'earlier run')} with the same "
                f"measurements cannot tell a shift, which takes {LEAST_HISTORY}"
            )
        compared = f"{format_count(self.series, 'series', 'series')} compared with {format_count(self.runs, 'run')}"
        if not self.smallest:
            return f"{compared}; their levels are 0"
        most = f", {100 * max(self.smallest):.2g} % in the worst" if len(self.smallest) > 1 else ""
        return (
            f"{compared}; smallest shift that would be seen in 9 of 10 cases: {100 * median(self.smallest):.2g} %"
            f"{' in the median' if most else ''}{most}"
        )


def compare_levels(engine: Engine, first: str, second: str) -> Levels:
    """The measurements of the run `second` beside those around the run `first`. Raises UsageError and StoreError."""
    before, run = (recorded_runs.run(engine, run_id) for run_id in (first, second))
    reference = _reference(before, run, recorded_runs.runs(engine))
    measured = RunData(run, measurements=recorded_runs.measurements(engine, second))
    series = load_series(engine, [one["run_id"] for one in reference], measured)
    place = next(number for number, one in enumerate(reference) if one["run_id"] == first)
    attributes = recorded_runs.attributes(engine, second)
    return judge_levels(series, [*reference, run], place, attributes, KnownLimits(measured.measurements))


def _reference(first: Row, second: Row, runs: Sequence[Row]) -> Sequence[Row]:
    """The first run, the last ones of its test before it, and where these are few the next ones before the second."""
    earlier = [*earlier_runs(first, runs, LAST_RUNS - 1), first]
    if len(earlier) >= ENOUGH:
        return earlier
    known = {one["run_id"] for one in earlier}
    between = [one for one in earlier_runs(second, runs, len(runs)) if one["run_id"] not in known]
    return [*earlier, *between[: LAST_RUNS - len(earlier)]]


def judge_levels(
    series: Sequence[SeriesValues], runs: Sequence[Row], place: int, attributes: Attributes, limits: KnownLimits
) -> Levels:
    """The last of some runs beside the others; `place` is the run that was good."""
    over = [*values_by_run(series, runs, attributes, LEAST_HISTORY + 1)]
    changes = find_level_changes(over)
    parts = [(one, _of_one_level(one, place, [change.place for change in changes.get(one.key, ())])) for one in over]
    known = [(one, earlier) for one, earlier in parts if len(earlier) >= LEAST_HISTORY]
    if not known:
        return Levels((), 0, len(runs) - 1, ())
    bound = SURE / len(known)
    shifts = [
        Shift(one.series, one.whose, float(np.median(earlier)), float(one.values[-1]), p, None)
        for one, earlier in known
        if (p := _chance(one, earlier)) <= bound
    ]
    alone = _hosts_alone(series, attributes)
    judged = [_with_direction(one, limits) for one in sorted([*shifts, *alone], key=lambda one: one.p)]
    smallest = [found for one, earlier in known if (found := _smallest(earlier, bound)) is not None]
    return Levels(judged, len(known), max(len(earlier) for _one, earlier in known), smallest)


def _with_direction(one: Shift, limits: KnownLimits) -> Shift:
    worse = limits.of(one.series).is_worse(one.before, one.after)
    return Shift(one.series, one.whose, one.before, one.after, one.p, worse)


def _of_one_level(one: OverRuns, place: int, changes: Sequence[int]) -> Floats:
    """The values of the runs that are of one level with the run at `place`, without the last run."""
    at = sum(own < place for own in one.places)
    start = max((change for change in changes if change <= at), default=0)
    end = min((change for change in changes if change > at), default=len(one.values))
    return one.values[start : min(end, len(one.values) - 1)]


def _chance(one: OverRuns, earlier: Floats) -> float:
    """The chance of the last value after the earlier ones; 1 for what is not beyond them, or by no more than a step.

    A whole number that never varied is a setting: any other is sure.
    """
    value, middle = float(one.values[-1]), float(np.median(earlier))
    distance, furthest = abs(value - middle), float(np.abs(earlier - middle).max())
    is_setting = not furthest and bool((one.values == np.round(one.values)).all())
    if distance <= furthest or not (is_setting or is_more_than(distance, find_resolution(one.values))):
        return 1.0
    if not furthest:
        return 0.0 if len(earlier) >= ENOUGH else 1.0
    return student_two_sided(abs(value - float(earlier.mean())) / _spread(earlier), len(earlier) - 1)


def _spread(earlier: Floats) -> float:
    """The deviation of the next value from the mean of the earlier ones."""
    return float(np.std(earlier - np.median(earlier), ddof=1)) * sqrt(1 + 1 / len(earlier))


def _smallest(earlier: Floats, bound: float) -> float | None:
    """The smallest shift that is told in 9 of 10 cases, as a share of the level; None for a level of 0."""
    level, freedom = abs(float(np.median(earlier))), len(earlier) - 1
    reach = student_quantile(1 - bound / 2, freedom) + student_quantile(SEEN, freedom)
    return max(reach * _spread(earlier), find_resolution(earlier)) / level if level else None


def _hosts_alone(series: Sequence[SeriesValues], attributes: Attributes) -> Iterator[Shift]:
    """The hosts that are much further from their twins than any of them ever was, for tails up to those of t3."""
    twins = Twins(attributes)
    classes = [(one, [*places]) for one in series for places in twins.by_class(one.hosts).values()]
    for one, places in classes:
        present = np.isfinite(one.values[places])
        rows = [place for place, here in zip(places, present, strict=True) if here[-1] and here[:-1].any()]
        columns = np.flatnonzero(present.any(axis=0))
        if len(rows) < LEAST_GROUP or len(columns) <= LEAST_HISTORY:
            continue
        values = one.values[np.ix_(rows, columns)]
        apart = subtract_twins(values)
        own = apart - np.median(apart[:, :-1], axis=1, keepdims=True)
        furthest, step = float(np.abs(own[:, :-1]).max()), find_resolution(values[:, -1])
        for row in np.flatnonzero(np.abs(own[:, -1]) > furthest).tolist():
            distance = abs(float(own[row, -1]))
            p = chance_beyond(max(furthest, step), distance, len(columns) - 1) * len(classes)
            if p <= SURE and is_more_than(distance, step):
                before = float(np.nanmedian(values[row, :-1]))
                yield Shift(one.series, one.hosts[rows[row]], before, float(values[row, -1]), p, None)
