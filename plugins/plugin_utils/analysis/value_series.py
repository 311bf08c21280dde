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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.json_numbers import numbers_in
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods import lazy_numpy as np
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.arrays import Floats, Places, usable
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.natural_order import natural
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import values_of_runs

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


Found = tuple[Sequence[Series], Sequence[str], Floats]


def load(engine: Engine, run_ids: Sequence[str], context: Iterable[Mapping[str, Any]]) -> list[SeriesValues]:
    """The values of all series that the last of these runs has.

    `context` are its rows of the context, each with the `numbers` inside of its value. Raises StoreError.
    """
    return [*_measurements(engine, run_ids), *_context(engine, run_ids, context)]


class _KnownPlaces:
    """The places of the last run, and where in a list of values each of them stands."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._codes: dict[str, int] = {}
        codes = np.fromiter((self._codes.setdefault(text, len(self._codes)) for text in texts), np.int64, len(texts))
        self._counts = np.bincount(codes, minlength=len(self._codes))
        self._starts = np.cumsum(self._counts) - self._counts

    def __len__(self) -> int:
        return int(self._counts.sum())

    def of(self, texts: Sequence[str]) -> Places:
        """The place of each text; -1 for one that the last run does not have so often."""
        codes = np.fromiter(map(self._codes.get, texts, repeat(-1)), np.int64, len(texts))
        numbers = _occurrences(codes)
        is_known = (codes >= 0) & (numbers < self._counts[codes])
        return np.where(is_known, self._starts[codes] + numbers, -1)

    def names(self) -> Iterator[tuple[str, int]]:
        """The text of each place, and its number among equal ones, counted from 1."""
        for text, count in zip(self._codes, self._counts.tolist(), strict=True):
            yield from ((text, number) for number in range(1, count + 1))


def _occurrences(codes: Places) -> Places:
    """How many equal codes stand before each code."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    is_first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    ranks = np.arange(len(codes))
    found = np.empty_like(ranks)
    found[order] = ranks - np.maximum.accumulate(np.where(is_first, ranks, 0))
    return found


def _measurements(engine: Engine, run_ids: Sequence[str]) -> list[SeriesValues]:
    last = values_of_runs.measured(engine, run_ids[-1])
    if not last:
        return []
    last_texts = [text for text, _number in last]
    places = _KnownPlaces(last_texts)
    own = places.of(last_texts)  # in most runs the same was measured in the same order
    values = np.full((len(run_ids), len(places)), np.nan)
    values[-1, own] = [number for _text, number in last]
    for column, run_id in enumerate(run_ids[:-1]):
        rows = values_of_runs.measured(engine, run_id)
        texts = [text for text, _number in rows]
        found = own if texts == last_texts else places.of(texts)
        numbers = np.array([number for _text, number in rows], np.float64)
        values[column, found[found >= 0]] = numbers[found >= 0]
    values = values.T
    known: dict[tuple[str, int], Series] = {}
    return _by_series([_series_of(text, number, known) for text, number in places.names()], values)


def _series_of(text: str, number: int, known: dict[tuple[str, int], Series]) -> tuple[Series, str]:
    """The series and the host of a place; hosts share the series in `known`."""
    host, _separator, rest = text.partition(values_of_runs.SEPARATOR)
    series = known.get((rest, number))
    if series is None:
        step, name, unit = rest.split(values_of_runs.SEPARATOR, 2)
        series = known[rest, number] = Series(step, name, unit, number)
    return series, host


def _by_series(places: Sequence[tuple[Series, str]], values: Floats) -> list[SeriesValues]:
    """Gather the rows of each series, in the order in which people read them."""
    values[~usable(values)] = np.nan
    order, series = _order(places)
    values = values[order]
    ends = (np.flatnonzero(np.diff(series[order])) + 1).tolist()
    spans = zip([0, *ends], [*ends, len(order)], strict=True)
    return [
        SeriesValues(places[order[start]][0], [places[place][1] for place in order[start:end]], values[start:end])
        for start, end in spans
        if np.isfinite(values[start:end, -1]).any()
    ]


def _order(places: Sequence[tuple[Series, str]]) -> tuple[NDArray[np.intp], Places]:
    """The order by step, name, unit, number and host, with r2 before r10; and the rank of each place's series."""
    ranks = {one: rank for rank, one in enumerate(sorted({series for series, _host in places}, key=_readable))}
    hosts = {one: rank for rank, one in enumerate(sorted({host for _series, host in places}, key=natural))}
    series = np.array([ranks[one] for one, _host in places])
    return np.lexsort((np.array([hosts[host] for _series, host in places]), series)), series


def _readable(series: Series) -> tuple[Any, ...]:
    return natural(series.step), natural(series.name), series.unit, series.number


def _context(engine: Engine, run_ids: Sequence[str], context: Iterable[Mapping[str, Any]]) -> list[SeriesValues]:
    places = {
        (row["host"], row["key"], path): None
        for row in context
        for path, _number in row["numbers"]
    }  # fmt: skip
    rows = {place: row for row, place in enumerate(places)}
    values = np.full((len(rows), len(run_ids)), np.nan)
    leaves = lru_cache(KEPT_TEXTS)(_numbers_of)
    for column, run_id in enumerate(run_ids if rows else ()):
        changes = values_of_runs.changes_of_keys(engine, run_id, {key for _host, key, _path in rows})
        for (host, key), text in {(host, key): text for host, key, text in changes}.items():
            for path, number in leaves(text):
                if (row := rows.get((host, key, path))) is not None:
                    values[row, column] = number
    return _by_series([(Series("", f"{key}{path}", key=key), host) for host, key, path in rows], values) if rows else []


def _numbers_of(text: str) -> tuple[tuple[str, float], ...]:
    return (*numbers_in(json.loads(text)),)
