# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of a run and of its earlier runs.

Loaded as series, with their limits, and as medians of the hosts of a class.

Only places that the last run has are looked at, so a run on few hosts is compared with the same few hosts. All numbers
are in one array with a row for each place (series and host) and a column for each run. So its size follows the number
of values, also where each host has series of its own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice, pairwise, repeat
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rack_recipes.analysis import run_data
from rack_recipes.analysis.findings import MOST_RESULTS, ResultId
from rack_recipes.analysis.methods import change_points_and_trends, spread_and_resolution
from rack_recipes.analysis.methods.arrays import Floats, Places, mark_usable, medians
from rack_recipes.analysis.methods.change_points_and_trends import ChangePoint, Trend, find_in_many, find_trend
from rack_recipes.analysis.run_data import NUMBERS, Row, RunData, numbers_in
from rack_recipes.natural_order import natural, natural_places
from rack_recipes.store.reading import several_runs
from rack_recipes.store.writing.record_to_rows import number as stored_number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Engine
KEPT_TEXTS = 50_000  # JSON texts whose numbers are remembered: most values of a context are the same in each run


class Series(NamedTuple):
    """What a number is: the `number`-th measurement of this name and unit of a step, or a number inside of a `key`.

    The name of a number in the context is its full path, such as `numbers.stats_v1.mean`, and its step is "".
    """

    step: str
    name: str
    unit: str = ""
    number: int = 1
    key: str = ""

    @property
    def in_words(self) -> str:
        """What it is called: its name, and the step that measures it."""
        number = f" (number {self.number})" if self.number > 1 else ""
        return f"{self.name}{number} of {self.step}" if self.step else f"{self.name}{number}"

    @property
    def about(self) -> dict[str, str]:
        """What a finding says that it is about."""
        return {"step": self.step, "name": self.name, "unit": self.unit}

    def results(self, hosts: Iterable[str]) -> tuple[ResultId, ...]:
        """The names of its values on some hosts, so many as a finding has."""
        return tuple(ResultId(host, self.step, self.name) for host in islice(hosts, MOST_RESULTS))


@dataclass(frozen=True, slots=True)
class SeriesValues:
    """The values of one series: a row for each of `hosts`, a column for each run, this run last; NaN is none.

    A result that was used again has no value here, since nothing was measured anew. `copied` has those of this run,
    with which hosts are compared with each other; None where it has none.
    """

    series: Series
    hosts: Sequence[str]
    values: Floats
    copied: Floats | None = None

    @property
    def last(self) -> Floats:
        """The values of this run, by host, also those that were measured in an earlier one."""
        last: Floats = self.values[:, -1]
        return last if self.copied is None else np.where(np.isnan(last), self.copied, last)

    @property
    def earlier(self) -> Floats:
        """The values of the earlier runs, without this one."""
        return self.values[:, :-1]


def load_series(engine: Engine, earlier: Sequence[str], run: RunData) -> list[SeriesValues]:
    """The values of all series that a run has, in it and in the `earlier` runs with these ids.

    Those of the run itself are taken from its rows, and not read again. Raises StoreError.
    """
    of_run = run.run["run_id"]
    runs = _Earlier(engine, earlier, several_runs.with_copies(engine, [*earlier, of_run]))
    results, keys = frozenset[Any](), frozenset[Any]()
    if of_run in runs.with_copies:
        results, keys = several_runs.copied_results(engine, of_run), several_runs.copied_keys(engine, of_run)
    return [*_measurements(runs, run.measurements, results), *_context(runs, run.context, keys)]


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The earlier runs, the oldest first, and those of them that have results which were used again."""

    engine: Engine
    ids: Sequence[str]
    with_copies: Container[str]

    def measured(self, names: Collection[str], steps: Collection[str]) -> Iterator[Sequence[tuple[str, float | None]]]:
        """What each run has measured itself."""
        for run_id in self.ids:
            yield several_runs.measured(self.engine, run_id, names, steps, only_new=run_id in self.with_copies)

    def changes_of_keys(self, keys: Collection[str]) -> Iterator[Sequence[tuple[str, str, str]]]:
        """What each run has itself written."""
        for run_id in self.ids:
            yield several_runs.changes_of_keys(self.engine, run_id, keys, only_new=run_id in self.with_copies)


class _KnownPlaces:
    """The places of the last run, and where in a list of values each of them stands."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._codes = {text: code for code, text in enumerate(dict.fromkeys(texts))}
        codes = np.fromiter(map(self._codes.__getitem__, texts), np.int64, len(texts))
        self._counts = np.bincount(codes, minlength=len(self._codes))
        self._starts = np.cumsum(self._counts) - self._counts
        self.own: Places = self._starts[codes] + _occurrences(codes)
        """The place of each of the texts."""

    def of(self, texts: Sequence[str]) -> Places:
        """The place of each text; -1 for one that the last run does not have so often."""
        codes = np.fromiter(map(self._codes.get, texts, repeat(-1)), np.int64, len(texts))
        numbers = _occurrences(codes)
        is_known = (codes >= 0) & (numbers < self._counts[codes])
        return np.where(is_known, self._starts[codes] + numbers, -1)

    def names(self) -> Iterator[tuple[str, int]]:
        """The text of each place, and its number among equal ones, counted from 1."""
        for text, count in zip(self._codes, self._counts.tolist(), strict=True):
            for number in range(1, count + 1):
                yield text, number


def _occurrences(codes: Places) -> Places:
    """How many equal codes stand before each code."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    is_first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    ranks = np.arange(len(codes))
    found = np.empty_like(ranks)
    found[order] = ranks - np.maximum.accumulate(np.where(is_first, ranks, 0))
    return found


@dataclass(slots=True)
class _Layout:
    """What stands in each row of an array of values: the number of its series in `known`, and its host."""

    known: dict[Series, int] = field(default_factory=dict)
    series: list[int] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)

    def code(self, series: Series) -> int:
        """The number of a series."""
        return self.known.setdefault(series, len(self.known))


def _measurements(earlier: _Earlier, rows: Sequence[Row], copied: frozenset[object]) -> list[SeriesValues]:
    if not rows:
        return []
    between = several_runs.SEPARATOR
    known = _KnownPlaces(
        [f"{row['host']}{between}{row['step']}{between}{row['name']}{between}{row.get('unit') or ''}" for row in rows]
    )
    values = np.full((len(earlier.ids) + 1, len(rows)), np.nan)
    values[-1, known.own] = np.array([stored_number(row["value"]) for row in rows], np.float64)
    texts: Sequence[str] = ()
    found = known.own
    names, steps = ({row[name] for row in rows} for name in ("name", "step"))
    for column, read in enumerate(earlier.measured(names, steps)):
        before, texts = texts, [text for text, _number in read]
        found = found if texts == before else known.of(texts)  # most runs have measured the same in the same order
        numbers = np.array([number for _text, number in read], np.float64)
        values[column, found[found >= 0]] = numbers[found >= 0]
    are_copies = [(row["host"], row["step"]) in copied for row in rows] if copied else ()
    return _by_series(_measured_places(known), values.T, known.own[np.flatnonzero(are_copies)])


def _measured_places(known: _KnownPlaces) -> _Layout:
    """The rows of the texts of places; hosts share the series."""
    places, codes, between = _Layout(), dict[tuple[str, int], int](), several_runs.SEPARATOR
    for text, number in known.names():
        host, _between, rest = text.partition(between)
        code = codes.get((rest, number))
        if code is None:
            step, name, unit = rest.split(between, 2)
            code = codes[rest, number] = places.code(Series(step, name, unit, number))
        places.series.append(code)
        places.hosts.append(host)
    return places


def _by_series(places: _Layout, values: Floats, copies: Places) -> list[SeriesValues]:
    """Gather the rows of each series, in the order in which people read them; `copies` are rows of copied values."""
    values[~mark_usable(values)] = np.nan
    order, ranks = _order(places)
    copied = None
    if len(copies):
        copied = np.full(len(order), np.nan)
        copied[copies] = values[copies, -1]
        values[copies, -1] = np.nan
        copied = copied[order]
    values = values[order]
    ends = (np.flatnonzero(np.diff(ranks[order])) + 1).tolist()
    spans = zip([0, *ends], [*ends, len(order)], strict=True)
    series, rows = [*places.known], order.tolist()
    found = (
        SeriesValues(
            series[places.series[rows[start]]],
            [places.hosts[row] for row in rows[start:end]],
            values[start:end],
            None if copied is None else copied[start:end],
        )
        for start, end in spans
    )
    return [one for one in found if np.isfinite(one.last).any()]


def _order(places: _Layout) -> tuple[NDArray[np.intp], Places]:
    """The order by step, name, unit, number and host, with r2 before r10; and the rank of each row's series."""
    readable = sorted(places.known, key=_readable)
    ranks = np.full(len(readable), 0)
    ranks[[places.known[one] for one in readable]] = np.arange(len(readable))
    hosts = natural_places(places.hosts)
    series = ranks[np.array(places.series, np.int64)]
    of_hosts = np.fromiter(map(hosts.__getitem__, places.hosts), np.int64, len(places.hosts))
    return np.lexsort((of_hosts, series)), series


def _readable(series: Series) -> tuple[Any, ...]:
    return natural(series.step), natural(series.name), series.unit, series.number


def _context(earlier: _Earlier, context: Iterable[Row], copied: frozenset[object]) -> list[SeriesValues]:
    places, last, copies = _Layout(), list[float](), list[int]()
    codes: dict[str, dict[str, int]] = {}  # of the series, by key and path
    starts: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}  # by host and key: the first row, and the paths
    for row in context:
        numbers = dict(row["numbers"])
        if numbers:
            host, key = row["host"], row["key"]
            of_key = codes.setdefault(key, {})
            starts[host, key] = len(last), (*numbers,)
            if copied and (host, key, row["step"]) in copied:
                copies.extend(range(len(last), len(last) + len(numbers)))
            for path, number in numbers.items():
                code = of_key.get(path)
                if code is None:
                    code = of_key[path] = places.code(Series("", f"{key}{path}", key=key))
                places.series.append(code)
                places.hosts.append(host)
                last.append(number)
    if not last:
        return []
    values = np.full((len(last), len(earlier.ids) + 1), np.nan)
    values[:, -1] = last
    leaves = lru_cache(KEPT_TEXTS)(_numbers_of)
    for column, changes in enumerate(earlier.changes_of_keys({*codes})):
        rows, numbers_of_run = _earlier(changes, starts, leaves)
        values[rows, column] = numbers_of_run
    return _by_series(places, values, np.array(copies, np.int64))


Starts = Mapping[tuple[str, str], tuple[int, tuple[str, ...]]]
Leaves = Callable[[str], Mapping[str, float]]


def _earlier(changes: Iterable[tuple[str, str, str]], starts: Starts, leaves: Leaves) -> tuple[list[int], list[float]]:
    """The rows of the values that an earlier run has left, and the values."""
    rows, numbers = list[int](), list[float]()
    for place, text in {(host, key): text for host, key, text in changes}.items():
        if place in starts:
            (start, paths), found = starts[place], leaves(text)
            if paths == (*found,):
                rows.extend(range(start, start + len(paths)))
                numbers.extend(found.values())
            else:
                kept = [(row, found[path]) for row, path in enumerate(paths, start) if path in found]
                rows.extend(row for row, _number in kept)
                numbers.extend(number for _row, number in kept)
    return rows, numbers


def _numbers_of(text: str) -> Mapping[str, float]:
    return dict(numbers_in(json.loads(text)))


HIGHER, LOWER, TARGET = "higher", "lower", "target"
Ends = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class SeriesLimits:
    """The limits of a series in its unit: the least and the greatest value that is allowed, None where there is no end.

    `better` is "higher", "lower", "target" or "" where nothing is known; `target` is the best value.
    """

    low: float | None = None
    high: float | None = None
    better: str = ""
    target: float | None = None

    def is_broken(self, value: float) -> bool:
        """Whether a value is beyond an end."""
        return (self.low is not None and value < self.low) or (self.high is not None and value > self.high)

    def is_worse(self, before: float, after: float) -> bool | None:
        """Whether a value is worse than another; None where no limit tells which direction is good."""
        if self.target is not None:
            return abs(after - self.target) > abs(before - self.target)
        return (after > before) == (self.better == LOWER) if self.better else None


class KnownLimits:
    """The limits of all series of a run. Where hosts differ in them, the strictest count.

    Of some `hosts` their own ones count; where these have none, those of all tell at least which direction is good.
    """

    def __init__(self, measurements: Iterable[Mapping[str, Any]]) -> None:
        self._ends: dict[tuple[str, str, str], list[tuple[str | None, Ends]]] = defaultdict(list)
        for row in measurements:
            if row["limits"]:
                self._ends[row["step"], row["name"], row["unit"] or ""].append((row.get("host"), _ends(row["limits"])))

    def each_of(self, series: Series, hosts: Iterable[str] = ()) -> set[Ends]:
        """The different limits that hosts have for a series."""
        known, wanted = self._ends.get((series.step, series.name, series.unit), ()), {*hosts}
        return {ends for host, ends in known if host in wanted} or {ends for _host, ends in known}

    def of(self, series: Series, hosts: Iterable[str] = ()) -> SeriesLimits:
        """The limits of a series; those of equally named measurements are the same."""
        found = self.each_of(series, hosts)
        lows = [low for low, _high in found if low is not None]
        highs = [high for _low, high in found if high is not None]
        return _limits(max(lows, default=None), min(highs, default=None))


def _limits(low: float | None, high: float | None) -> SeriesLimits:
    if low is None or high is None:
        return SeriesLimits(low, high, better=HIGHER if low is not None else LOWER if high is not None else "")
    return SeriesLimits(low, high, TARGET, (low + high) / 2)


def _ends(limits: Mapping[str, object]) -> Ends:
    within = limits.get("within")
    if isinstance(within, dict):
        return _around(*(_number(within.get(name)) for name in ("of", "by", "percent")))
    same = _number(limits.get("eq"))
    return (same, same) if same is not None else (_number(limits.get("min")), _number(limits.get("max")))


def _around(target: float | None, by: float | None, percent: float | None) -> Ends:
    reach = by if by is not None else None if percent is None or target is None else abs(target * percent) / 100
    return (None, None) if target is None or reach is None else (target - reach, target + reach)


def _number(value: Any) -> float | None:
    return float(value) if type(value) in NUMBERS else None


LEAST_RUNS = 4  # this run, and as many earlier ones as an interval for the next value needs
FEW_HOSTS = 4  # fewer twins than these are looked at one by one
PRESENT = 0.75  # of the runs: a host that was there less often would move the median by coming and going
DAY = 86400.0
FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
RunRow = Mapping[str, Any]


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


def values_by_run(
    series: Iterable[SeriesValues], runs: Sequence[RunRow], attributes: run_data.Attributes, least: int
) -> Iterator[OverRuns]:
    """The series of hosts and of classes that have a value in this run and in at least `least` runs; `runs` are all."""
    days = np.array([day_of(run.get("started")) for run in runs])
    twins = run_data.Twins(attributes)
    for one in series:
        classes = {**twins.by_class(one.hosts)}
        if "" in one.hosts:
            classes["the run"] = [[*one.hosts].index("")]
        for label, places in classes.items():
            new = np.isfinite(one.values[places, -1]).sum()
            are_many = len(places) >= FEW_HOSTS and 2 * new >= len(places)  # few of them have another median
            for part in [places] if are_many else [[place] for place in places]:
                yield from _over_runs(one, label, part, days, least)


def _over_runs(one: SeriesValues, label: str, places: Sequence[int], days: Floats, least: int) -> Iterator[OverRuns]:
    """The median of hosts in the runs that have a value of half of them, among those hosts that most such runs have."""
    present = np.isfinite(one.values[places])
    in_run = present.sum(axis=0)
    is_full = 2 * in_run >= max(in_run.max(), 1)
    often = present[:, is_full].sum(axis=1) >= PRESENT * is_full.sum()
    steady = [place for place, is_often in zip(places, often, strict=True) if is_often] or places
    kept = np.flatnonzero(is_full & np.isfinite(one.values[steady]).any(axis=0))
    if len(kept) < least or kept[-1] != len(in_run) - 1:
        return
    found = medians(one.values[np.ix_(steady, kept)], axis=0)
    hosts = [one.hosts[place] for place in places]
    floor = spread_and_resolution.find_resolution(found)
    yield OverRuns(one.series, label, hosts, kept.tolist(), days[kept], found, floor)


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


def find_level_changes(series: Sequence[OverRuns]) -> Mapping[str, Sequence[ChangePoint]]:
    """The changes of level of each series, by its key; series without any are left out."""
    enough = [one for one in series if len(one.values) >= change_points_and_trends.LEAST_RUNS]
    found = find_in_many({one.key: one.values for one in enough}, floors={one.key: one.floor for one in enough})
    kept = {one.key: drop_drift(one, found[one.key]) for one in enough if one.key in found}
    return {key: changes for key, changes in kept.items() if changes}


def drop_drift(one: OverRuns, changes: Sequence[ChangePoint]) -> Sequence[ChangePoint]:
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
