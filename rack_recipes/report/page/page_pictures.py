# SPDX-License-Identifier: GPL-3.0-or-later

"""All pictures of the page.

Maps, timeline, racks, and how what was measured spreads over hosts, racks and earlier runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from rack_recipes.analysis.samples import Samples, StoredBins, samples_in
from rack_recipes.report.charts.chart_elements import Chart, Limit, Quantity, is_drawable
from rack_recipes.report.charts.heat_map import gather_rows, heat_map, proportions
from rack_recipes.report.charts.histogram_and_box_plot import MOST_PANELS, box_plot, histogram
from rack_recipes.report.charts.sample_charts import draw_boxes, draw_histogram
from rack_recipes.report.charts.timeline import lanes_of_tables, step_time_bars, timeline
from rack_recipes.report.charts.trend import Change, TrendPoint, trend
from rack_recipes.report.page import hosts_by_rack
from rack_recipes.report.page.hosts_by_rack import HostGroup, HostPlace, rack_picture
from rack_recipes.report.table_model import Row, Table

Cells = Mapping[str, Any]
Place = tuple[str, str, str]  # step, name and unit
MOST = 20
"""So many measurements have pictures, those nearest to a limit first."""
FEWEST = 3
"""A measurement with fewer values has no pictures: its values say all."""
MOST_KEYS = 10
"""So many numbers of the context have a picture, those whose level has changed first."""
FEWEST_SAMPLES = 5
"""A shorter list of numbers has no picture."""
NO_RACK = "all hosts"
_LIMIT = re.compile(r"(?:^|, )((?:warn )?[a-z]+) (-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?=,|$)")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of a step with its pictures; `verdict` is the worst one of its values, or empty."""

    step: str
    name: str
    unit: str
    verdict: str
    values: int
    limits: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class KeyTrend:
    """A number of the context over the runs; `change` is its last change of level in words, or empty."""

    name: str
    change: str
    chart: Chart


@dataclass(frozen=True, slots=True)
class KeySamples:
    """A list of numbers in the context of some hosts, or bins of such, with its pictures."""

    name: str
    hosts: int
    charts: tuple[Chart, ...]


def measurement_pictures(values: Table, racks: Mapping[str, str], over_runs: Table) -> list[Measured]:
    """The measurements with pictures, in the order of the table: its first values are nearest to their limits.

    `racks` has the rack of each host whose rack is known, `over_runs` is the table of earlier runs.
    """
    found: dict[Place, list[Row]] = {}
    columns = map(values.values, ("step", "name", "unit", "value"))
    for row, step, name, unit, value in zip(values.rows, *columns, strict=True):
        if is_drawable(value):
            found.setdefault((step or "", name, unit or ""), []).append(row)
    points = _points(over_runs)
    enough = [(place, rows) for place, rows in found.items() if len(rows) >= FEWEST or place in points]
    return [
        _measured(place, [*replace(values, rows=tuple(rows)).records()], racks, points.get(place, ()))
        for place, rows in enough[:MOST]
    ]


def key_trends(over_runs: Table) -> list[KeyTrend]:
    """The numbers of the context with a picture, those whose level has changed last first."""
    keys = {place: rows for place, rows in _points(over_runs).items() if rows[0]["key"]}
    last = {place: max((row["started"] for row in rows if row["change"]), default="") for place, rows in keys.items()}
    shown = sorted(keys, key=last.__getitem__, reverse=True)[:MOST_KEYS]
    return [_key_trend(place[1], keys[place]) for place in shown]


def key_samples(context: Table, racks: Mapping[str, str]) -> list[KeySamples]:
    """The lists of numbers and the stored bins in the context, with a picture of each: by host, of many by rack."""
    found: dict[str, dict[str, Samples]] = {}
    for key, host, value in zip(*map(context.values, ("key", "host", "value")), strict=True):
        for path, samples in samples_in(value, key) if isinstance(value, dict | list) else ():
            if isinstance(samples, StoredBins) or len(samples) >= FEWEST_SAMPLES:
                found.setdefault(path, {})[host] = samples
    return [_key_samples(name, of_hosts, racks) for name, of_hosts in [*found.items()][:MOST_KEYS]]


def _key_samples(name: str, of_hosts: Mapping[str, Samples], racks: Mapping[str, str]) -> KeySamples:
    by_rack = ((lambda host: racks.get(host, NO_RACK)),) if len(of_hosts) > MOST_PANELS else ()
    boxes = draw_boxes(Quantity(name), of_hosts, *by_rack)
    return KeySamples(name, len(of_hosts), (draw_histogram(Quantity(name), of_hosts), *([boxes] if boxes else ())))


def _key_trend(name: str, rows: Sequence[Cells]) -> KeyTrend:
    changes = [row["change"] for row in rows if row["change"]]
    return KeyTrend(name, changes[-1] if changes else "", _over_runs(Quantity(name), rows, ()))


def _points(over_runs: Table) -> dict[Place, list[Cells]]:
    """The points of each number, in the order of the table."""
    found: dict[Place, list[Cells]] = {}
    for cells in over_runs.records():
        found.setdefault((cells["step"] or "", cells["name"], cells["unit"] or ""), []).append(cells)
    return found


def _measured(place: Place, rows: Sequence[Cells], racks: Mapping[str, str], points: Sequence[Cells]) -> Measured:
    step, name, unit = place
    quantity, limits = Quantity(name, unit), rows[0]["limits"] or ""
    values = [(row["host"], float(row["value"])) for row in rows]
    charts = draw_measurement(quantity, values, limits, racks) if len(rows) >= FEWEST else ()
    history = (_over_runs(quantity, points, [*parse_limits(limits)]),) if points else ()
    return Measured(step, name, unit, rows[0]["verdict"] or "", len(rows), limits, (*history, *charts))


def _over_runs(quantity: Quantity, points: Sequence[Cells], limits: Sequence[Limit]) -> Chart:
    """The lines of a number over the runs, with its limits and its changes of level."""
    lines: dict[str, list[TrendPoint]] = {}
    for row in points:
        point = TrendPoint(row["run_id"], row["started"] or "", row["median"], row["low"], row["high"])
        lines.setdefault(row["line"], []).append(point)
    changes = dict.fromkeys(Change(row["run_id"], row["change"]) for row in points if row["change"])
    return trend(quantity, lines, limits, [*changes])


def draw_measurement(
    quantity: Quantity, values: Sequence[tuple[str, float]], limits: str, racks: Mapping[str, str]
) -> tuple[Chart, ...]:
    """The pictures of one measurement: a histogram, and a box for each rack; `values` are hosts with their values."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for host, value in values:
        groups.setdefault(racks.get(host, NO_RACK), []).append((host, value))
    lines = [*parse_limits(limits)]
    return histogram(quantity, [value for _host, value in values], lines), box_plot(quantity, groups, lines)


def parse_limits(words: str) -> Iterable[Limit]:
    """The limits that are numbers, from limits in words such as `min 3, max 9, warn max 8`."""
    return (Limit(word, float(number)) for word, number in _LIMIT.findall(words))


GATHER_FROM = 400
"""With more hosts a row of the heat map would be less than a pixel of a screen: there a row is a rack."""


@dataclass(frozen=True, slots=True)
class Map:
    """A heat map: `head` has the names of the steps, `rows` says what a row is: `racks` or `rows`."""

    rows: str
    head: Markup
    body: Markup


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures; None where there is nothing to show."""

    proportions: Markup
    racks: Markup | None
    maps: tuple[Map, ...]
    timeline: Markup | None
    bars: Markup


def draw_pictures(by_name: Mapping[str, Table], hosts: Sequence[HostPlace]) -> Pictures:
    """The pictures of the tables of a report."""
    groups = hosts_by_rack.groups(hosts)
    matrix = hosts_by_rack.by_place(by_name["matrix"], hosts)
    maps = [Map("rows", *heat_map(matrix))] if matrix.rows else []
    if len(hosts) > GATHER_FROM:
        maps.insert(0, Map("racks", *heat_map(_by_group(matrix, groups))))
    steps = _planned(by_name)
    return Pictures(
        proportions(by_name["counts"]),
        rack_picture(groups) if groups else None,
        tuple(maps),
        _timeline(by_name),
        step_time_bars(steps),
    )


def _timeline(by_name: Mapping[str, Table]) -> Markup | None:
    shown = lanes_of_tables(by_name["verdicts"], by_name["steps"])
    return timeline(shown, "Stages and steps").svg if shown else None


def _by_group(matrix: Table, groups: Sequence[HostGroup]) -> Table:
    """The matrix with a row for each group of hosts; rows of no host are left out."""
    group_of = {one.host: group.name for group in groups for one in group.hosts}
    hosts = replace(matrix, rows=tuple(row for row in matrix.rows if row[0] in group_of))
    return gather_rows(hosts, group_of.__getitem__)


def _planned(by_name: Mapping[str, Table]) -> Table:
    """The table of steps without the instances of looped steps."""
    steps = by_name["steps"]
    names = {column.name for column in by_name["matrix"].columns[1:]}
    return replace(steps, rows=tuple(row for row in steps.rows if row[steps.place("step")] in names))
