# SPDX-License-Identifier: GPL-3.0-or-later

"""When the stages, steps and hosts of a run were busy, and how long steps took.

It is read from the store or from the tables of a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from markupsafe import Markup

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import rank
from rack_recipes.errors import counted
from rack_recipes.report.charts.axes import Area, Scale, axis_below, time_ticks
from rack_recipes.report.charts.chart_elements import WIDTH, Chart, element, label, label_width, picture
from rack_recipes.report.format_values import seconds, style_of
from rack_recipes.report.table_model import RUN_SCOPED, Column, Row, Table
from rack_recipes.store.result import Result

TIMELINE_WIDTH, TOP, BOTTOM, RIGHT, ROW = 1120, 8, 44, 24, 20
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
    area = Area(label_width(_name(lane) for lane in lanes) + 4, TOP, TIMELINE_WIDTH - RIGHT, height - BOTTOM)
    across = Scale(0.0, max(most, LEAST_TIME), area.left, area.right)
    said = f"{title}: {len(lanes):,} of {total:,} rows in {seconds(most)}"
    rows = (_lane(lane, TOP + ROW * place, area, across) for place, lane in enumerate(lanes))
    return picture(
        "timeline", TIMELINE_WIDTH, height, said, axis_below(area, across, "Time since the start", is_time=True), *rows
    )


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


def seconds_of_time(text: Any) -> float | None:
    """An ISO time in seconds since 1970; None for what is no time."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def step_lanes(results: Iterable[Result], most_steps: int | None = None) -> list[Lane]:
    """A row for each stage, from its first start to its last end on any host, and under it one for each of its steps.

    A result without a start that is a time is left out. Times are in seconds since the first start. Stages and steps
    stand in the order of their starts. A run of more than `most_steps` steps has stages alone.
    """
    grouped: dict[tuple[int, str], list[tuple[float, Result]]] = {}
    moments: dict[str | None, float | None] = {}
    for row in results:
        started = row.get("started")
        if started not in moments:
            moments[started] = seconds_of_time(started)
        start = moments[started]
        if start is not None:
            grouped.setdefault((row["stage"] or 0, row["step"]), []).append((start, row))
    stages: dict[int, dict[str, _Extent]] = {}
    for (stage, step), own in grouped.items():
        stages.setdefault(stage, {})[step] = _extent(own)
    zero = min((one.start for steps in stages.values() for one in steps.values()), default=0.0)
    with_steps = most_steps is None or len({step for _stage, step in grouped}) <= most_steps
    return [lane for stage in sorted(stages) for lane in _lanes(stage, stages[stage], zero, with_steps=with_steps)]


class _Extent(NamedTuple):
    """From the first start to the last end of some results, with their gravest verdict and their hosts."""

    start: float
    end: float
    verdict: str
    hosts: frozenset[str]

    def span(self, zero: float) -> Span:
        """The same beside other spans, with the hosts in words."""
        where = next(iter(self.hosts)) or RUN_SCOPED if len(self.hosts) == 1 else f"{len(self.hosts):,} hosts"
        return Span(self.start - zero, self.end - zero, self.verdict, where)


def _extent(results: Sequence[tuple[float, Result]]) -> _Extent:
    return _Extent(
        min(start for start, _row in results),
        max(start + (row["seconds"] or 0.0) for start, row in results),
        min({row["verdict"] or "" for _start, row in results}, key=rank),
        frozenset(row["host"] for _start, row in results),
    )


def _lanes(stage: int, steps: Mapping[str, _Extent], zero: float, *, with_steps: bool) -> Iterator[Lane]:
    own = [*steps.values()]
    whole = _Extent(
        min(one.start for one in own),
        max(one.end for one in own),
        min((one.verdict for one in own), key=rank),
        frozenset().union(*(one.hosts for one in own)),
    )
    yield Lane(f"stage {stage}", (whole.span(zero),))
    for step in sorted(steps, key=lambda name: steps[name].start) if with_steps else ():
        yield Lane(step, (steps[step].span(zero),), inner=True)


def run_timeline(steps: Sequence[Result], run: Mapping[str, object]) -> Chart:
    """A row for each stage, and below it one for each of its steps, from its first start to its last end.

    `steps` are rows of the table `steps`. What never ran or has no time is left out, and so are results of an earlier
    run, and instances, which are in their step.
    """
    own = (row for row in steps if not row.get("parent") and not row.get("source_run"))
    timed = (row for row in own if row.get("seconds") is not None)
    return timeline(step_lanes(timed), f"Timeline of run {run['run_id']}")


MOST_STEPS = 60
"""A run with more steps is shown by its stages."""


def lanes_of_tables(verdicts: Table, steps: Table) -> list[Lane]:
    """The rows of the timeline; results that an earlier run had are left out, and so are times that are none."""
    stages = dict(zip(steps.values("step"), steps.values("stage"), strict=True))
    return step_lanes(_timed_verdicts(verdicts, stages), MOST_STEPS)


def _timed_verdicts(verdicts: Table, stages: Mapping[str, int | None]) -> Iterator[Result]:
    columns = map(verdicts.values, ("step", "host", "started", "seconds", "source_run", "verdict", "tries"))
    for step, host, started, lasted, source, verdict, tries in zip(*columns, strict=True):
        if source is None and tries != 0:
            yield {
                "step": step, "host": host, "stage": stages.get(step),
                "started": started, "seconds": lasted, "verdict": verdict,
            }  # fmt: skip


MOST_BARS = 40
BAR = 24


def step_time_bars(steps: Table) -> Markup:
    """Median and longest time of the steps; if there are too many, of those that took longest."""
    place = steps.place
    timed = [row for row in steps.rows if row[place("max")] is not None]
    longest = {row[0] for row in sorted(timed, key=lambda row: -row[place("max")])[:MOST_BARS]}
    rows = [row for row in timed if row[0] in longest]
    left = label_width(row[0] for row in rows)
    most = max([row[place("max")] for row in rows], default=0) or LEAST_TIME
    ticks = time_ticks(most)
    scale = Scale(0.0, most, left, WIDTH - 190)
    lines = [_bar(row, y, left, scale, place) for y, row in enumerate(rows)]
    title = f"Median and longest time of {counted(len(rows), 'step')}"
    return picture("bars", WIDTH, len(rows) * BAR + 30, title, _axis(ticks, scale, len(rows)), *lines)


def _bar(row: Row, number: int, left: float, scale: Scale, place: Callable[[str], int]) -> Markup:
    median, longest, host = row[place("median")], row[place("max")], row[place("slowest_host")]
    middle = number * BAR + 24 + BAR / 2
    end, far = scale(median), scale(longest)
    said = f"{row[0]}: median {seconds(median)}, longest {seconds(longest)} on {host or 'the run'}"
    return element(
        "g", element("title", said),
        element("text", label(row[0]), x=f"{left - 8:.1f}", y=f"{middle:.1f}", class_="name"),
        element("path", d=f"M{end:.1f} {middle:.1f}H{far:.1f}M{far:.1f} {middle - 4:.1f}v8", class_="reach"),
        element("rect", x=f"{left:.1f}", y=f"{middle - 6:.1f}", width=f"{max(end - left, 1):.1f}", height=12, rx=2,
                class_="bar"),
        element("text", f"{seconds(median)} · {seconds(longest)}", x=f"{far + 10:.1f}", y=f"{middle:.1f}",
                class_="value"),
    )  # fmt: skip


def _axis(ticks: Sequence[float], scale: Scale, rows: int) -> Markup:
    lines = element("path", d="".join(f"M{scale(at):.1f} 22v{rows * BAR + 4}" for at in ticks), class_="axis")
    texts = (element("text", seconds(at), x=f"{scale(at):.1f}", y=12, class_="tick") for at in ticks)
    return element("g", lines, *texts)
