# SPDX-License-Identifier: GPL-3.0-or-later

"""The trend of a measurement over runs, with its limits and the runs at which its level changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from markupsafe import Markup

from rack_recipes.errors import counted
from rack_recipes.report.charts.axes import (
    Area,
    Scale,
    axis_left,
    left_width,
    level_limits,
    name_below,
    names_width,
    scale_of,
)
from rack_recipes.report.charts.chart_elements import (
    LETTER,
    SERIES,
    Chart,
    Limit,
    Quantity,
    dot,
    element,
    is_drawable,
    label,
    picture,
)
from rack_recipes.report.format_values import number, shown
from rack_recipes.report.table_model import Column, Table

WIDTH, HEIGHT = 640, 320
TOP, BOTTOM, KEY_LINE = 40, 44, 18
MOST_LINES = len(SERIES)
CHANGE_LINE, CHANGE_LETTERS, MOST_WRITTEN = 15, 70, 4
DOTS_UP_TO = 120
"""Runs up to which every value has a dot."""

ABOUT = "The median of a run's values, with the least and the greatest. A change is the first run at the new level."


class TrendPoint(NamedTuple):
    """The values of one run: their median, and the least and the greatest where there are several."""

    run_id: str
    time: str
    value: float
    low: float | None = None
    high: float | None = None


class Change(NamedTuple):
    """The first run at a new level, and the change in words."""

    run_id: str
    text: str


def trend(
    quantity: Quantity,
    series: Mapping[str, Sequence[TrendPoint]],
    limits: Sequence[Limit] = (),
    changes: Sequence[Change] = (),
    to: Callable[[str], str] | None = None,
) -> Chart:
    """A line for each series over the runs, which stand at equal distances in the order of their times.

    With `to`, the address of a run, each value is a link, which tells it to pointer and keyboard.
    Only the first `MOST_LINES` series are drawn, so that all can be told apart; all are in the figures. Values that are
    not finite are gaps.
    """
    known = {name: [point for point in points if is_drawable(point.value)] for name, points in series.items()}
    runs = sorted({(point.time, point.run_id) for points in known.values() for point in points})
    return Chart(_drawn(quantity, known, runs, limits, changes, to), _figures(quantity, known, changes))


def _drawn(
    quantity: Quantity,
    series: Mapping[str, Sequence[TrendPoint]],
    runs: Sequence[tuple[str, str]],
    limits: Sequence[Limit],
    changes: Sequence[Change],
    to: Callable[[str], str] | None,
) -> Markup:
    drawn = dict(list(series.items())[:MOST_LINES])
    key_height = KEY_LINE * len(drawn) if len(drawn) > 1 else 0
    places = {run_id: place for place, (_time, run_id) in enumerate(runs)}
    marks = sorted((one for one in changes if one.run_id in places), key=lambda one: places[one.run_id])
    area, up = _area(_extent(drawn, limits), limits, CHANGE_LINE * max(min(len(marks), MOST_WRITTEN) - 1, 0))
    across = Scale(-0.5, max(len(runs), 1) - 0.5, area.left, area.right)
    title = f"Trend of {quantity.label} over {counted(len(runs), 'run')}, {len(drawn)} of {len(series)} lines"
    lines = [
        part for number, points in enumerate(drawn.values(), 1) for part in _line(number, points, places, across, up)
    ]
    values = _values(quantity, drawn, places, across, up, area, to) if to else ()
    return picture(
        "trend", WIDTH, area.bottom + BOTTOM + key_height, title,
        axis_left(area, up, quantity.label), _runs_below(area, across, runs),
        *level_limits(area, up, limits), *_changes(area, across, marks, places), *lines, *values,
        *(_key(drawn, area) if key_height else ()),
        **({"role": "group"} if to else {}),
    )  # fmt: skip


def _extent(series: Mapping[str, Sequence[TrendPoint]], limits: Sequence[Limit]) -> list[float]:
    ends = [end for points in series.values() for point in points for end in (point.value, point.low, point.high)]
    return [*filter(is_drawable, ends)] + [limit.value for limit in limits]


def _area(extent: Sequence[float], limits: Sequence[Limit], above: float) -> tuple[Area, Scale]:
    top, bottom = TOP + above, HEIGHT - BOTTOM + above
    up = scale_of(extent, bottom, top)
    return Area(left_width(up), top, WIDTH - max(names_width(limits), 16), bottom), up


def _line(
    number_of: int, points: Sequence[TrendPoint], places: Mapping[str, int], across: Scale, up: Scale
) -> Iterator[Markup]:
    ordered = sorted(points, key=lambda point: places[point.run_id])
    band = [
        (across(places[point.run_id]), up(point.low), up(point.high))
        for point in ordered
        if is_drawable(point.low) and is_drawable(point.high)
    ]
    if len(band) > 1:
        over = "L".join(f"{x:.1f} {high:.1f}" for x, _low, high in band)
        back = "L".join(f"{x:.1f} {low:.1f}" for x, low, _high in reversed(band))
        yield element("path", d=f"M{over}L{back}z", class_=f"band f-{number_of}")
    for part, parts in enumerate(_unbroken(ordered, places)):
        path = "L".join(f"{across(places[point.run_id]):.1f} {up(point.value):.1f}" for point in parts)
        yield element("path", d=f"M{path}", class_=f"line s-{number_of}", data_part=part)
    if len(places) <= DOTS_UP_TO:
        yield from (_dot(point, number_of, across(places[point.run_id]), up(point.value)) for point in ordered)


def _values(
    quantity: Quantity,
    series: Mapping[str, Sequence[TrendPoint]],
    places: Mapping[str, int],
    across: Scale,
    up: Scale,
    area: Area,
    to: Callable[[str], str],
) -> Iterator[Markup]:
    """A link for each value: pointer and keyboard reach it, and its words are at the top while they do.

    The value of a single line is that of its whole column, so that nobody has to aim.
    """
    wide = (area.right - area.left) / max(len(places), 1)
    for number_of, (name, points) in enumerate(series.items(), 1):
        for point in sorted(points, key=lambda point: places[point.run_id]):
            x, y = across(places[point.run_id]), up(point.value)
            spot = element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=8, class_="reach-of")
            if len(series) == 1:
                size = {"width": f"{wide:.1f}", "height": f"{area.bottom - area.top:.1f}"}
                spot = element("rect", x=f"{x - wide / 2:.1f}", y=f"{area.top:.1f}", **size, class_="reach-of")
            said = _in_words(quantity, name if len(series) > 1 else "", point)
            mark = element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=5, class_=f"chosen f-{number_of}")
            text = element("text", said, x=WIDTH - 4, y=10, class_="said end")
            yield element("a", spot, mark, text, href=to(point.run_id), class_="point", aria_label=said)


def _in_words(quantity: Quantity, name: str, point: TrendPoint) -> str:
    amount = f"{shown(point.value, 'number')} {quantity.unit}".strip()
    return f"{name}{': ' if name else ''}{amount}{_ends(point)} in run {point.run_id}"


def _unbroken(points: Sequence[TrendPoint], places: Mapping[str, int]) -> list[list[TrendPoint]]:
    """The points in stretches of runs that follow one another: a run without a value breaks the line."""
    parts = [[point] for point in points[:1]]
    for before, after in pairwise(points):
        if places[after.run_id] - places[before.run_id] > 1:
            parts.append([])
        parts[-1].append(after)
    return parts


def _dot(point: TrendPoint, number_of: int, x: float, y: float) -> Markup:
    return dot(f"{point.run_id}: {number(point.value)}{_ends(point)}", x, y, f"f-{number_of}")


def _ends(point: TrendPoint) -> str:
    if is_drawable(point.low) and is_drawable(point.high):
        return f" ({number(point.low)} to {number(point.high)})"
    return ""


def _runs_below(area: Area, across: Scale, runs: Sequence[tuple[str, str]]) -> Markup:
    texts = [label(text, 11) for text in _texts_of([time for time, _run in runs])]
    room = max((area.right - area.left) / max(len(runs), 1), 0.1)
    every = ceil((max(map(len, texts), default=1) * LETTER + 10) / room)
    shown = (
        element("text", element("title", f"{run_id}, {time}"), text, x=f"{across(place):.1f}",
                y=f"{area.bottom + 14:.1f}", class_="tick")
        for place, ((time, run_id), text) in enumerate(zip(runs, texts, strict=True))
        if place % every == 0
    )  # fmt: skip
    return element("g", *shown, name_below(area, "Runs (UTC)"))


TIMES = ((5, 10), (5, 16), (11, 19))
"""What is written of ISO times: the day, the day and the minute, the time of day; the first that tells them apart."""


def _texts_of(times: Sequence[str]) -> list[str]:
    """The texts of runs: no two are the same unless nothing tells them apart, where they are numbered."""
    if not all(time[4:5] == "-" for time in times):
        return [*times]
    for start, end in TIMES:
        texts = [time[start:end].replace("T", " ") for time in times]
        if len({*texts}) == len(times):
            return texts
    return [f"run {number}" for number in range(1, len(times) + 1)]


def _changes(area: Area, across: Scale, changes: Sequence[Change], places: Mapping[str, int]) -> Iterator[Markup]:
    """Each change as a line before its run; the first ones also in words, each in a line of its own."""
    for row, change in enumerate(changes):
        at = across(places[change.run_id] - 0.5)
        said = element("title", f"{change.run_id}: {change.text}")
        line = element("path", d=f"M{at:.1f} {area.top}V{area.bottom}", class_="change")
        mark = element("text", "▾", x=f"{at:.1f}", y=f"{area.top - 6:.1f}", class_="change-mark")
        words: Sequence[Markup] = ()
        if row < MOST_WRITTEN:
            text = label(f"{change.text} since run {change.run_id}", CHANGE_LETTERS)
            x = max(min(at + 8, WIDTH - 4 - LETTER * len(text)), 4.0)
            y = area.top - 8 - CHANGE_LINE * row
            words = (element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", class_="change-text"),)
        yield element("g", said, line, mark, *words)


def _key(series: Mapping[str, Sequence[TrendPoint]], area: Area) -> Iterator[Markup]:
    for number_of, name in enumerate(series, 1):
        y = area.bottom + BOTTOM + KEY_LINE * (number_of - 0.5)
        line = element("path", d=f"M{area.left:.1f} {y:.1f}h26", class_=f"line s-{number_of}")
        dot = element("circle", cx=f"{area.left + 13:.1f}", cy=f"{y:.1f}", r=3, class_=f"dot f-{number_of}")
        text = element("text", label(name, 60), x=f"{area.left + 34:.1f}", y=f"{y:.1f}")
        yield element("g", element("title", name), line, dot, text)


def _figures(quantity: Quantity, series: Mapping[str, Sequence[TrendPoint]], changes: Sequence[Change]) -> Table:
    numbers = (("value", "Median"), ("low", "Least"), ("high", "Greatest"))
    columns = (
        Column("run_id", "Run"),
        Column("time", "Started", "time", "UTC"),
        Column("series", "Line"),
        *(Column(name, title, "number", quantity.unit) for name, title in numbers),
        Column("change", "Change"),
    )
    told = dict(changes)
    rows = tuple(
        (point.run_id, point.time, name, point.value, point.low, point.high, told.get(point.run_id))
        for name, points in series.items()
        for point in points
    )
    return Table("trend", f"Trend of {quantity.name}", columns, rows, ABOUT)
