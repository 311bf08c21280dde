# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Box plots: how the values of groups of hosts spread, and which hosts lie outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from rack_recipes.analysis.methods.moments_without_numpy import quantile_of_sorted
from rack_recipes.report.charts.axes import Area, Scale, axis_below, scale_of
from rack_recipes.report.charts.chart_model import Chart, Limit, Quantity, is_drawable
from rack_recipes.report.charts.limit_lines import upright_limits
from rack_recipes.report.charts.number_words import number
from rack_recipes.report.charts.svg_elements import element, label, label_width, picture
from rack_recipes.report.table_model import Column, Table

WIDTH = 640
TOP, BOTTOM, RIGHT, ROW = 64, 44, 24, 30
MOST_GROUPS, MOST_DOTS = 60, 200
FEWEST = 5
"""A group with fewer values has no box: its values are dots, since quartiles of so few say nothing."""

REACH = 1.5
"""Whiskers end at the last value that is within so many times the box's width from the box."""

ABOUT = (
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
    return Chart(_drawn(quantity, boxes, limits), _figures(quantity, boxes))


def _box(name: str, values: Sequence[tuple[str, float]]) -> Box | None:
    known = sorted((Place(*one) for one in values if is_drawable(one[1])), key=lambda place: place.value)
    if not known:
        return None
    ordered = [
        float(place.value) for place in known
    ]  # quartiles are floats: a whole number of 54 bits would lie beside
    low, middle, high = (quantile_of_sorted(ordered, share) for share in (0.25, 0.5, 0.75))
    room = REACH * (high - low)
    inside = [value for value in ordered if low - room <= value <= high + room]
    outside = [place for place in known if not low - room <= float(place.value) <= high + room]
    return Box(name, tuple(known), (low, middle, high), (inside[0], inside[-1]), tuple(outside))


def _drawn(quantity: Quantity, boxes: Sequence[Box], limits: Sequence[Limit]) -> Markup:
    drawn = boxes[:MOST_GROUPS]
    height = TOP + BOTTOM + ROW * max(len(drawn), 1)
    area = Area(label_width(box.name for box in drawn) + 4, TOP, WIDTH - RIGHT, height - BOTTOM)
    values = [end.value for box in drawn for end in (box.values[0], box.values[-1])]
    across = scale_of([*values, *(limit.value for limit in limits)], area.left, area.right)
    title = f"Box plot of {quantity.label}: {len(drawn):,} of {len(boxes):,} groups"
    rows = (_row(box, TOP + ROW * (number + 0.5), area, across) for number, box in enumerate(drawn))
    return picture("box-plot", WIDTH, height, title, axis_below(area, across, quantity.label), *rows,
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
        said = element("title", f"{place.host}: {number(place.value)}")
        yield element("circle", said, cx=f"{across(place.value):.1f}", cy=f"{middle:.1f}", r=3, class_="dot outside")


def _said(box: Box) -> str:
    return f"{box.name}: {len(box.values):,} values, median {number(box.quartiles[1])}, {len(box.outside):,} outside"


def _figures(quantity: Quantity, boxes: Sequence[Box]) -> Table:
    numbers = (("min", "Least"), ("q1", "Lower quartile"), ("median", "Median"), ("q3", "Upper quartile"),
               ("max", "Greatest"))  # fmt: skip
    columns = (
        Column("group", "Group"),
        Column("values", "Values", "number"),
        *(Column(name, title, "number", quantity.unit) for name, title in numbers),
        Column("outside", "Outside", "number"),
    )
    return Table("box_plot", f"Spread of {quantity.name}", columns, tuple(map(_figure_row, boxes)), ABOUT)


def _figure_row(box: Box) -> tuple[object, ...]:
    low, middle, high = box.quartiles
    least, greatest = box.values[0].value, box.values[-1].value
    if len(box.values) < FEWEST:
        return (box.name, len(box.values), least, None, middle, None, greatest, None)
    return (box.name, len(box.values), least, low, middle, high, greatest, len(box.outside))
