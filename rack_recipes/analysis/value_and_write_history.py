# SPDX-License-Identifier: GPL-3.0-or-later

"""What led to the values of a run: the numbers of its earlier runs by class of hosts, and the writes of each key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import Twins
from rack_recipes.store.reading import recorded_runs

if TYPE_CHECKING:
    from rack_recipes.analysis.methods.arrays import Floats
    from rack_recipes.analysis.values_over_runs import Series, SeriesValues

LEAST_RUNS = 3
"""With fewer runs, this one among them, there is no line yet, and numpy is not imported for two points."""

MOST_POINTS = 20_000
"""Points of all lines together, and as many writes: a report stays small where each host has series of its own."""

LEAST_FOR_LEVELS = 10
RUN = "(run)"
Row = Mapping[str, Any]


class RunValue(NamedTuple):
    """The values of one run: their median, the least and the greatest where there are several, and their number."""

    run_id: str
    started: str
    median: float
    low: float | None
    high: float | None
    hosts: int


@dataclass(frozen=True, slots=True)
class PastValues:
    """`points` of lines over runs and the `writes` of keys that were written more than once, as rows for tables.

    `left_out` is the number of series whose points had no room, `writes_left_out` that of the oldest writes.
    """

    points: Sequence[Row] = ()
    left_out: int = 0
    writes: Sequence[Row] = ()
    writes_left_out: int = 0


def read_past_values(history: History) -> PastValues:
    """Read them from the store. Raises StoreError."""
    series = history.series if len(history.runs) + 1 >= LEAST_RUNS else ()
    points, left_out = _within(MOST_POINTS, series, history)
    writes = _writes(history)
    return PastValues(points, left_out, writes[-MOST_POINTS:], max(len(writes) - MOST_POINTS, 0))


def gather_by_run(values: Floats, runs: Sequence[Row]) -> list[RunValue]:
    """The values of some hosts (rows) in runs (columns), gathered by run; runs without a value are left out."""
    import numpy as np  # a report without earlier runs does not load it

    known = np.isfinite(values)
    return [
        _run_value(values[known[:, place], place], run)
        for place, run in enumerate(runs)
        if known[:, place].any()
    ]  # fmt: skip


def _run_value(values: Floats, run: Row) -> RunValue:
    low, high = (float(values.min()), float(values.max())) if len(values) > 1 else (None, None)
    return RunValue(run["run_id"], run.get("started") or "", median(values.tolist()), low, high, len(values))


def _within(most: int, series: Sequence[SeriesValues], history: History) -> tuple[list[Row], int]:
    """The points of as many series as have room, and how many series have none."""
    twins, changes = Twins(history.run.attributes), _level_changes(history)
    points: list[Row] = []
    for place, one in enumerate(series):
        own = [*_points(one, history, twins, changes.get(one.series, {}))]
        if len(points) + len(own) > most:
            return points, len(series) - place
        points += own
    return points, 0


def _points(one: SeriesValues, history: History, twins: Twins, changes: Mapping[str, str]) -> Iterator[Row]:
    runs = [*history.runs, history.run.run]
    series = one.series
    about = {"step": series.step or None, "name": series.name, "unit": series.unit or None, "key": series.key or None}
    for line, places in _lines(one, twins):
        for point in gather_by_run(one.values[places], runs):
            yield {**about, "line": line, **point._asdict(), "change": changes.get(point.run_id)}


def _lines(one: SeriesValues, twins: Twins) -> Iterator[tuple[str, Sequence[int]]]:
    """The places of the hosts of each class, and of the run itself; each with its name."""
    number = f", value {one.series.number}" if one.series.number > 1 else ""
    for name, places in twins.by_class(one.hosts).items():
        yield f"{name or 'all hosts'}{number}", places
    if "" in one.hosts:
        yield f"{RUN}{number}", [[*one.hosts].index("")]


def _level_changes(history: History) -> Mapping[Series, Mapping[str, str]]:
    """By series and run, what changed its level there in words. Fewer than ten runs have none, and are not asked."""
    found: dict[Series, dict[str, str]] = defaultdict(dict)
    if len(history.runs) + 1 < LEAST_FOR_LEVELS:
        return found
    runs = [*history.runs, history.run.run]
    for one in history.over_runs:
        for change in history.level_changes.get(one.key, ()):
            run_id = runs[one.places[change.place]]["run_id"]
            words = f"{one.whose}: from {change.before:.6g} to {change.after:.6g}"
            before = found[one.series].get(run_id)
            found[one.series][run_id] = f"{before}; {words}" if before else words
    return found


def _writes(history: History) -> list[Row]:
    """The writes of each key that was written more than once, by key, host and version."""
    again = {(row["key"], row["host"]) for row in history.run.context if (row.get("version") or 0) > 1}
    if not again:
        return []
    rows = recorded_runs.history_of_keys(history.engine, history.run.run["run_id"], {key for key, _host in again})
    places = {(row["key"], row["host"]): place for place, row in enumerate(history.run.context)}
    own = (row for row in rows if (row["key"], row["host"]) in again)
    return sorted(own, key=lambda row: (places[row["key"], row["host"]], row["version"]))
