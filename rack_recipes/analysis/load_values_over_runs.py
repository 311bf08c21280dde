# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of a run beside those of its earlier runs: measurements, and numbers inside the values of the context.

Only places that the last run has are looked at, so a run on few hosts is compared with the same few hosts. All numbers
are in one array with a row for each place (series and host) and a column for each run. So its size follows the number
of values, also where each host has series of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from rack_recipes.analysis.methods import lazy_numpy as np
from rack_recipes.analysis.methods.arrays import Floats, Places, usable
from rack_recipes.analysis.numbers_in_json import numbers_in
from rack_recipes.analysis.run_data import Row, RunData
from rack_recipes.natural_order import natural, natural_places
from rack_recipes.store.reading import values_of_runs
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


@dataclass(frozen=True, slots=True)
class SeriesValues:
    """The values of one series: a row for each of `hosts`, a column for each run, this run last; NaN is none."""

    series: Series
    hosts: Sequence[str]
    values: Floats

    @property
    def last(self) -> Floats:
        """The values of this run, by host."""
        return self.values[:, -1]

    @property
    def earlier(self) -> Floats:
        """The values of the earlier runs, without this one."""
        return self.values[:, :-1]


def load(engine: Engine, earlier: Sequence[str], run: RunData) -> list[SeriesValues]:
    """The values of all series that a run has, in it and in the `earlier` runs with these ids.

    Those of the run itself are taken from its rows, and not read again. Raises StoreError.
    """
    return [*_measurements(engine, earlier, run.measurements), *_context(engine, earlier, run.context)]


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


def _measurements(engine: Engine, earlier: Sequence[str], rows: Sequence[Row]) -> list[SeriesValues]:
    if not rows:
        return []
    between = values_of_runs.SEPARATOR
    known = _KnownPlaces(
        [f"{row['host']}{between}{row['step']}{between}{row['name']}{between}{row.get('unit') or ''}" for row in rows]
    )
    values = np.full((len(earlier) + 1, len(rows)), np.nan)
    values[-1, known.own] = np.array([stored_number(row["value"]) for row in rows], np.float64)
    texts: Sequence[str] = ()
    found = known.own
    names, steps = ({row[name] for row in rows} for name in ("name", "step"))
    for column, run_id in enumerate(earlier):
        read = values_of_runs.measured(engine, run_id, names, steps)
        before, texts = texts, [text for text, _number in read]
        found = found if texts == before else known.of(texts)  # most runs have measured the same in the same order
        numbers = np.array([number for _text, number in read], np.float64)
        values[column, found[found >= 0]] = numbers[found >= 0]
    return _by_series(_measured_places(known), values.T)


def _measured_places(known: _KnownPlaces) -> _Layout:
    """The rows of the texts of places; hosts share the series."""
    places, codes, between = _Layout(), dict[tuple[str, int], int](), values_of_runs.SEPARATOR
    for text, number in known.names():
        host, _between, rest = text.partition(between)
        code = codes.get((rest, number))
        if code is None:
            step, name, unit = rest.split(between, 2)
            code = codes[rest, number] = places.code(Series(step, name, unit, number))
        places.series.append(code)
        places.hosts.append(host)
    return places


def _by_series(places: _Layout, values: Floats) -> list[SeriesValues]:
    """Gather the rows of each series, in the order in which people read them."""
    values[~usable(values)] = np.nan
    order, ranks = _order(places)
    values = values[order]
    ends = (np.flatnonzero(np.diff(ranks[order])) + 1).tolist()
    spans = zip([0, *ends], [*ends, len(order)], strict=True)
    series, rows = [*places.known], order.tolist()
    return [
        SeriesValues(
            series[places.series[rows[start]]], [places.hosts[row] for row in rows[start:end]], values[start:end]
        )
        for start, end in spans
        if np.isfinite(values[start:end, -1]).any()
    ]


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


def _context(engine: Engine, earlier: Sequence[str], context: Iterable[Row]) -> list[SeriesValues]:
    places, last = _Layout(), list[float]()
    codes: dict[str, dict[str, int]] = {}  # of the series, by key and path
    starts: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}  # by host and key: the first row, and the paths
    for row in context:
        numbers = dict(row["numbers"])
        if numbers:
            host, key = row["host"], row["key"]
            of_key = codes.setdefault(key, {})
            starts[host, key] = len(last), (*numbers,)
            for path, number in numbers.items():
                code = of_key.get(path)
                if code is None:
                    code = of_key[path] = places.code(Series("", f"{key}{path}", key=key))
                places.series.append(code)
                places.hosts.append(host)
                last.append(number)
    if not last:
        return []
    values = np.full((len(last), len(earlier) + 1), np.nan)
    values[:, -1] = last
    leaves = lru_cache(KEPT_TEXTS)(_numbers_of)
    for column, run_id in enumerate(earlier):
        rows, numbers_of_run = _earlier(values_of_runs.changes_of_keys(engine, run_id, {*codes}), starts, leaves)
        values[rows, column] = numbers_of_run
    return _by_series(places, values)


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
