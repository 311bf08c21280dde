# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeline of a run: when which stage, step or host was busy, and how that ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from rack_recipes.report.charts.axes import Area, Scale, time_axis_below
from rack_recipes.report.charts.chart_model import Chart
from rack_recipes.report.charts.number_words import seconds
from rack_recipes.report.charts.svg_elements import element, label, label_width, picture
from rack_recipes.report.table_model import Column, Table
from rack_recipes.report.verdict_styles import style_of

WIDTH, TOP, BOTTOM, RIGHT, ROW = 1120, 8, 44, 24, 20
MOST_LANES = 200
LEAST_TIME = 0.001
"""The shortest time axis in seconds."""

ABOUT = (
    "Start and end in seconds since the first start. A lane that stands for several results has their worst verdict."
)


class Span(NamedTuple):
    """A stretch of time in seconds, the verdict at its end, and what it was."""

    start: float
    end: float
    verdict: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the timeline: a stage, a step or a host; a lane below another one is `inner`."""

    name: str
    spans: tuple[Span, ...]
    inner: bool = False


def timeline(lanes: Sequence[Lane], title: str = "Timeline") -> Chart:
    """A row for each lane, with its spans. Of more than `MOST_LANES` the first ones are drawn; the figures have all."""
    return Chart(_drawn(lanes[:MOST_LANES], len(lanes), title), _figures(lanes, title))


def _drawn(lanes: Sequence[Lane], total: int, title: str) -> Markup:
    height = TOP + BOTTOM + ROW * max(len(lanes), 1)
    most = max((span.end for lane in lanes for span in lane.spans), default=0.0)
    area = Area(label_width(_name(lane) for lane in lanes) + 4, TOP, WIDTH - RIGHT, height - BOTTOM)
    across = Scale(0.0, max(most, LEAST_TIME), area.left, area.right)
    said = f"{title}: {len(lanes):,} of {total:,} rows in {seconds(most)}"
    rows = (_lane(lane, TOP + ROW * place, area, across) for place, lane in enumerate(lanes))
    return picture("timeline", WIDTH, height, said, time_axis_below(area, across, "Time since the start"), *rows)


def _name(lane: Lane) -> str:
    return f"  {lane.name}" if lane.inner else lane.name


def _lane(lane: Lane, top: float, area: Area, across: Scale) -> Markup:
    css = "name inner" if lane.inner else "name"
    name = element("text", label(lane.name), x=f"{area.left - 8:.1f}", y=f"{top + ROW / 2:.1f}", class_=css)
    return element("g", element("title", lane.name), name, *_spans(lane, top, across))


def _spans(lane: Lane, top: float, across: Scale) -> Iterator[Markup]:
    size = ROW - (8 if lane.inner else 6)
    for span in lane.spans:
        left, right = across(max(span.start, 0.0)), across(max(span.end, span.start, 0.0))
        said = f"{span.text or lane.name}: {span.verdict}, {seconds(span.start)} to {seconds(span.end)}"
        place = {"x": f"{left:.1f}", "y": f"{top + (ROW - size) / 2:.1f}", "width": f"{max(right - left, 1.5):.1f}"}
        yield element("rect", element("title", said), **place, height=size, rx=2, class_=f"v-{style_of(span.verdict)}")


def _figures(lanes: Sequence[Lane], title: str) -> Table:
    columns = (
        Column("lane", "Row"),
        Column("what", "What"),
        Column("verdict", "Verdict", "verdict"),
        Column("start", "Start", "seconds", "s"),
        Column("end", "End", "seconds", "s"),
        Column("seconds", "Time", "seconds", "s"),
    )
    rows = tuple(
        (lane.name, span.text or lane.name, span.verdict, span.start, span.end, span.end - span.start)
        for lane in lanes
        for span in lane.spans
    )
    return Table("timeline", title, columns, rows, ABOUT)
