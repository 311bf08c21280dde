# SPDX-License-Identifier: GPL-3.0-or-later

"""The spread of a measurement: a histogram of its values, and box plots of groups of hosts."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import NamedTuple

from markupsafe import Markup

from rack_recipes.analysis.methods.statistics_without_numpy import quantile_of_sorted
from rack_recipes.report.charts.axes import (
    Area,
    Scale,
    axis_below,
    axis_left,
    left_width,
    round_step,
    scale_of,
    upright_limits,
)
from rack_recipes.report.charts.chart_elements import (
    Chart,
    Limit,
    Quantity,
    dot,
    element,
    is_drawable,
    label,
    label_width,
    picture,
)
from rack_recipes.report.format_values import number
from rack_recipes.report.table_model import Column, Table

HISTOGRAM_WIDTH, PLOT_HEIGHT, PANEL_HEIGHT = 640, 192, 90
HISTOGRAM_TOP, HISTOGRAM_BOTTOM, HISTOGRAM_RIGHT, BETWEEN_PANELS = 64, 44, 24, 72
MOST_PANELS = 12
FEWEST_BINS, MOST_BINS = 5, 50
OF_ONE_VALUE = 12
"""The width in pixels of the bar where all values are one."""
ABOUT_HISTOGRAM = "How many values lie in each range: from its lower end on, below its upper end."


@dataclass(frozen=True, slots=True)
class Bins:
    """Ranges that begin where the one before ends, and how many values lie in each."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def ends(self, place: int) -> tuple[float, float]:
        """The lower and the upper end of a range."""
        return self.edges[place], self.edges[place + 1]


def histogram(quantity: Quantity, values: Sequence[float], limits: Sequence[Limit] = ()) -> Chart:
    """The histogram of the values. Values that cannot be drawn are left out, and the title says how many."""
    known = sorted(value for value in values if is_drawable(value))
    bins = bins_of(known)
    return Chart(
        _draw_histogram(quantity, {"": bins}, limits, _title(quantity, known, len(values))),
        _histogram_figures(quantity, bins),
    )


def histograms(quantity: Quantity, of_hosts: Mapping[str, Bins], left_out: str = "") -> Chart:
    """The histograms of several hosts, one below the other with the same axes. `left_out` says what is not in them.

    Those of the first `MOST_PANELS` hosts are drawn; all are in the figures.
    """
    drawn = min(len(of_hosts), MOST_PANELS)
    values = sum(sum(bins.counts) for bins in of_hosts.values())
    hosts = next(iter(of_hosts)) if len(of_hosts) == 1 else f"{drawn:,} of {len(of_hosts):,} hosts"
    title = f"Histogram of {quantity.label}: {values:,} values, {hosts}{left_out}"
    tables = {host: _histogram_figures(quantity, bins) for host, bins in of_hosts.items()}
    rows = tuple((host, *row) for host, table in tables.items() for row in table.rows)
    first = next(iter(tables.values()))
    return Chart(
        _draw_histogram(quantity, of_hosts, (), title),
        replace(first, columns=(Column("host", "Host"), *first.columns), rows=rows),
    )


def count_in(edges: Sequence[float], values: Sequence[float]) -> Bins:
    """How many of the values, which all are within the edges, lie in each range."""
    counted = Counter(min(bisect_right(edges, value), len(edges) - 1) - 1 for value in values)
    return Bins((*edges,), tuple(counted[place] for place in range(len(edges) - 1)))


def bins_of(ordered: Sequence[float]) -> Bins:
    """Ranges for sorted values, by the rule of Freedman and Diaconis, with round ends."""
    if not ordered:
        return Bins((0.0, 1.0), ())
    if ordered[0] == ordered[-1]:
        return Bins((ordered[0], ordered[0]), (len(ordered),))
    width = _width(ordered)
    middle = width / 2 if width == 1 and all(value == floor(value) for value in ordered) else 0.0
    places = [floor((value + middle) / width) for value in ordered]
    counted = Counter(places)
    first, bins = places[0] * width - middle, places[-1] - places[0] + 1
    edges = tuple(first + place * width for place in range(bins + 1))
    return Bins(edges, tuple(counted[place + places[0]] for place in range(bins)))


def _width(ordered: Sequence[float]) -> float:
    span = scale_of(ordered, 0, 1, room=0)
    whole = span.high - span.low
    spread = quantile_of_sorted(ordered, 0.75) - quantile_of_sorted(ordered, 0.25)
    best = 2 * spread / len(ordered) ** (1 / 3)
    wished = min(max(whole / best if best > 0 else FEWEST_BINS, FEWEST_BINS), MOST_BINS)
    width = round_step(whole / wished)
    is_whole = all(value == floor(value) for value in ordered)
    if is_whole and whole <= MOST_BINS:
        return 1.0
    return max(width, 1.0) if is_whole else width


def _title(quantity: Quantity, known: Sequence[float], total: int) -> str:
    left_out = f"; {total - len(known):,} more are no finite numbers" if len(known) < total else ""
    if not known:
        return f"Histogram of {quantity.label}: no values{left_out}"
    if known[0] == known[-1]:
        counted = "1 value," if len(known) == 1 else f"{len(known):,} values, all"
        return f"Histogram of {quantity.label}: {counted} {number(known[0])}{left_out}"
    middle = quantile_of_sorted(known, 0.5)
    spread = f"from {number(known[0])} to {number(known[-1])}, median {number(middle)}"
    return f"Histogram of {quantity.label}: {len(known):,} values {spread}{left_out}"


def _draw_histogram(quantity: Quantity, panels: Mapping[str, Bins], limits: Sequence[Limit], title: str) -> Markup:
    drawn = [*panels.items()][:MOST_PANELS]
    tall = PLOT_HEIGHT if len(drawn) == 1 else PANEL_HEIGHT
    most = max((count for _name, bins in drawn for count in bins.counts), default=1)
    left, right = left_width(scale_of([0, most], tall, 0, room=0)), HISTOGRAM_WIDTH - HISTOGRAM_RIGHT
    ends = [end for _name, bins in drawn if bins.counts for end in (bins.edges[0], bins.edges[-1])] or [0.0]
    across = scale_of([*ends, *(limit.value for limit in limits)], left, right)
    shapes: list[Markup] = []
    bottom = 0
    for place, (name, bins) in enumerate(drawn):
        top = HISTOGRAM_TOP + place * (tall + BETWEEN_PANELS)
        bottom = top + tall
        area, up = Area(left, top, right, bottom), scale_of([0, most], bottom, top, room=0)
        shapes += [axis_left(area, up, "" if place else "Values", whole=True), axis_below(area, across, quantity.label)]
        shapes += [*_bars(bins, across, up), *upright_limits(area, across, limits)]
        if name:
            shapes.append(element("text", label(name), x=f"{left:.1f}", y=f"{top - 12}", class_="value"))
    return picture("histogram", HISTOGRAM_WIDTH, bottom + HISTOGRAM_BOTTOM, title, *shapes)


def _bars(bins: Bins, across: Scale, up: Scale) -> Iterator[Markup]:
    for place, count in enumerate(bins.counts):
        if count:
            low, high = bins.ends(place)
            half = OF_ONE_VALUE / 2 if low == high else 0
            left, right = across(low) - half, across(high) + half
            said = element("title", f"{number(low)}{f' to {number(high)}' if low < high else ''}: {count:,}")
            size = {"width": f"{max(right - left - 1, 1):.1f}", "height": f"{up(0) - up(count):.1f}"}
            yield element("rect", said, x=f"{left:.1f}", y=f"{up(count):.1f}", **size, class_="bar")


def _histogram_figures(quantity: Quantity, bins: Bins) -> Table:
    columns = (
        Column("from", "From", "number", quantity.unit),
        Column("to", "To", "number", quantity.unit),
        Column("values", "Values", "number"),
    )
    rows = tuple((*bins.ends(place), count) for place, count in enumerate(bins.counts) if count)
    return Table("histogram", f"Histogram of {quantity.name}", columns, rows, ABOUT_HISTOGRAM)


BOX_PLOT_WIDTH = 640
BOX_PLOT_TOP, BOX_PLOT_BOTTOM, BOX_PLOT_RIGHT, BOX_ROW = 64, 44, 24, 30
MOST_GROUPS, MOST_DOTS = 60, 200
FEWEST = 5
"""A group with fewer values has no box: its values are dots, since quartiles of so few say nothing."""
REACH = 1.5
"""Whiskers end at the last value that is within so many times the box's width from the box."""
ABOUT_BOX_PLOT = (
    "Quartiles of type 7. A whisker ends at the last value within 1.5 box widths of the box; values beyond it are "
    "outside. A group with less than 5 values has no quartiles. That a value lies outside does not mean it is wrong."
)


class Place(NamedTuple):
    """A value and where it was measured."""

    host: str
    value: float


@dataclass(frozen=True, slots=True)
class Box:
    """One group: its values in order, its quartiles and the ends of its whiskers; `outside` are the values beyond."""

    name: str
    values: tuple[Place, ...]
    quartiles: tuple[float, float, float]
    whiskers: tuple[float, float]
    outside: tuple[Place, ...]


def box_plot(
    quantity: Quantity, groups: Mapping[str, Sequence[tuple[str, float]]], limits: Sequence[Limit] = ()
) -> Chart:
    """A box for each group; a group is a sequence of hosts with their values. Values that are not finite are left out.

    Of more than `MOST_GROUPS` groups the first ones are drawn; all are in the figures.
    """
    boxes = [box for name, values in groups.items() if (box := _box(name, values))]
    return Chart(_draw_box_plot(quantity, boxes, limits), _box_plot_figures(quantity, boxes))


def _box(name: str, values: Sequence[tuple[str, float]]) -> Box | None:
    known = sorted((Place(*one) for one in values if is_drawable(one[1])), key=lambda place: place.value)
    if not known:
        return None
    ordered = [float(place.value) for place in known]  # quartiles are floats: a number of 54 bits would lie beside
    low, middle, high = (quantile_of_sorted(ordered, share) for share in (0.25, 0.5, 0.75))
    room = REACH * (high - low)
    inside = [value for value in ordered if low - room <= value <= high + room]
    outside = [place for place in known if not low - room <= float(place.value) <= high + room]
    return Box(name, tuple(known), (low, middle, high), (inside[0], inside[-1]), tuple(outside))


def _draw_box_plot(quantity: Quantity, boxes: Sequence[Box], limits: Sequence[Limit]) -> Markup:
    drawn = boxes[:MOST_GROUPS]
    height = BOX_PLOT_TOP + BOX_PLOT_BOTTOM + BOX_ROW * max(len(drawn), 1)
    area = Area(
        label_width(box.name for box in drawn) + 4,
        BOX_PLOT_TOP,
        BOX_PLOT_WIDTH - BOX_PLOT_RIGHT,
        height - BOX_PLOT_BOTTOM,
    )
    values = [end.value for box in drawn for end in (box.values[0], box.values[-1])]
    across = scale_of([*values, *(limit.value for limit in limits)], area.left, area.right)
    title = f"Box plot of {quantity.label}: {len(drawn):,} of {len(boxes):,} groups"
    rows = (_row(box, BOX_PLOT_TOP + BOX_ROW * (number + 0.5), area, across) for number, box in enumerate(drawn))
    return picture("box-plot", BOX_PLOT_WIDTH, height, title, axis_below(area, across, quantity.label), *rows,
                   *upright_limits(area, across, limits))  # fmt: skip


def _row(box: Box, middle: float, area: Area, across: Scale) -> Markup:
    name = element("text", label(box.name), x=f"{area.left - 8:.1f}", y=f"{middle:.1f}", class_="name")
    has_box = len(box.values) >= FEWEST
    shapes = _box_shapes(box, middle, across) if has_box else ()
    dots = box.outside if has_box else box.values
    return element("g", element("title", _said(box)), name, *shapes, *_dots(dots, middle, across))


def _box_shapes(box: Box, middle: float, across: Scale) -> Iterator[Markup]:
    left, centre, right = map(across, box.quartiles)
    low, high = map(across, box.whiskers)
    whiskers = f"M{low:.1f} {middle:.1f}H{left:.1f}M{right:.1f} {middle:.1f}H{high:.1f}"
    ends = "".join(f"M{end:.1f} {middle - 5:.1f}v10" for end in (low, high))
    yield element("path", d=whiskers + ends, class_="whisker")
    size = {"width": f"{max(right - left, 1):.1f}", "height": 16}
    yield element("rect", x=f"{left:.1f}", y=f"{middle - 8:.1f}", **size, class_="box-of")
    yield element("path", d=f"M{centre:.1f} {middle - 8:.1f}v16", class_="median")


def _dots(places: Sequence[Place], middle: float, across: Scale) -> Iterator[Markup]:
    half = MOST_DOTS // 2
    shown = places if len(places) <= MOST_DOTS else (*places[:half], *places[-half:])
    for place in shown:
        yield dot(f"{place.host}: {number(place.value)}", across(place.value), middle, "outside")


def _said(box: Box) -> str:
    return f"{box.name}: {len(box.values):,} values, median {number(box.quartiles[1])}, {len(box.outside):,} outside"


def _box_plot_figures(quantity: Quantity, boxes: Sequence[Box]) -> Table:
    numbers = (("min", "Least"), ("q1", "Lower quartile"), ("median", "Median"), ("q3", "Upper quartile"),
               ("max", "Greatest"))  # fmt: skip
    columns = (
        Column("group", "Group"),
        Column("values", "Values", "number"),
        *(Column(name, title, "number", quantity.unit) for name, title in numbers),
        Column("outside", "Outside", "number"),
    )
    return Table("box_plot", f"Spread of {quantity.name}", columns, tuple(map(_figure_row, boxes)), ABOUT_BOX_PLOT)


def _figure_row(box: Box) -> tuple[object, ...]:
    low, middle, high = box.quartiles
    least, greatest = box.values[0].value, box.values[-1].value
    if len(box.values) < FEWEST:
        return (box.name, len(box.values), least, None, middle, None, greatest, None)
    return (box.name, len(box.values), least, low, middle, high, greatest, len(box.outside))
