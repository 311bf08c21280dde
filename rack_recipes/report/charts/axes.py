# SPDX-License-Identifier: GPL-3.0-or-later

"""Axes of charts: from values to pixels, round ticks, the lines and texts of an axis, and the lines of limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from markupsafe import Markup

from rack_recipes.report.charts.chart_elements import LETTER, Limit, element, label
from rack_recipes.report.format_values import seconds, shown

TICKS = 5
CLOCK = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400)
"""Distances between two ticks of a time axis that are round on a clock, in seconds."""
LEAST_SPAN = 1e-12
"""Values whose span is a smaller share of their size are shown as if they were alike."""
LEAST = 1e-290
"""A smaller number is shown as 0."""
ROOM = 0.05
"""The share of the span that an axis goes on beyond its outermost values."""
AXIS_LETTERS = 60
SHORT = 3
"""Large numbers that differ in so many digits are written with an exponent."""


@dataclass(frozen=True, slots=True)
class Area:
    """The part of a picture in which data are drawn, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`, drawn from the pixel `start` to the pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (self.end - self.start) * ((value - self.low) / (self.high - self.low))


def scale_of(values: Iterable[float], start: float, end: float, *, room: float = ROOM) -> Scale:
    """A scale on which all these values have room; each of them can be drawn (`is_drawable`)."""
    known = list(values) or [0.0]
    low, high = min(known), max(known)
    span, size = high - low, max(abs(low), abs(high))
    if span <= max(size * LEAST_SPAN, LEAST):
        span, room = (size if size > LEAST else 1.0), max(room, ROOM)
    return Scale(low - span * room, high + span * room, start, end)


def ticks(scale: Scale, about: int = TICKS) -> list[float]:
    """Round values on a scale."""
    step = round_step((scale.high - scale.low) / about)
    first, last = ceil(scale.low / step - 1e-9), floor(scale.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def round_step(rough: float) -> float:
    """The first of 1, 2, 5, 10 times a power of ten that is at least `rough`."""
    power = 10.0 ** floor(log10(rough))
    return next((power * unit for unit in (1, 2, 5) if power * unit >= rough), power * 10)


def tick_texts(values: Sequence[float]) -> list[str]:
    """The texts of ticks, all with as many digits as tell them apart."""
    size = max(map(abs, values), default=0)
    step = min((abs(after - before) for before, after in pairwise(values)), default=0) or size or 1
    digits = max(0, floor(log10(size) + 1e-9) - floor(log10(step) + 1e-9)) if size else 0
    if size and (not 1e-4 <= size < 1e15 or (size >= 1e7 and digits <= SHORT)):
        return [f"{value:.{digits}e}" if value else "0" for value in values]
    decimals = max(0, -floor(log10(step) + 1e-9))
    return [f"{value + 0.0:,.{decimals}f}" for value in values]


def time_ticks(most: float) -> list[float]:
    """Round times in seconds from 0 up to `most`."""
    rough = most / TICKS
    clock = [step for step in CLOCK if step >= rough >= CLOCK[0] / 2]
    step = clock[0] if clock else round_step(rough)
    return [number * step for number in range(int(most / step) + 1)]


def axis_below(area: Area, scale: Scale, name: str, *, is_time: bool = False) -> Markup:
    """An axis from left to right, with a line for each tick; seconds are told in the words of a clock."""
    values = time_ticks(scale.high) if is_time else ticks(scale)
    texts = [*map(seconds, values)] if is_time else tick_texts(values)
    lines = "".join(f"M{scale(value):.1f} {area.top:.1f}V{area.bottom:.1f}" for value in values)
    upright = element("path", d=lines, class_="axis")
    return element("g", upright, *_texts_below(area, scale, values, texts), name_below(area, name))


def axis_left(area: Area, scale: Scale, name: str, *, whole: bool = False) -> Markup:
    """An axis of values from bottom to top, with a line for each tick; `whole` leaves out ticks that are no counts."""
    values = [value for value in ticks(scale) if not whole or value == int(value)]
    lines = "".join(f"M{area.left:.1f} {scale(value):.1f}H{area.right:.1f}" for value in values)
    texts = (
        element("text", text, x=f"{area.left - 8:.1f}", y=f"{scale(value):.1f}", class_="tick left")
        for value, text in zip(values, tick_texts(values), strict=True)
    )
    title = element("text", label(name, AXIS_LETTERS), x=1, y=10, class_="axis-name")
    return element("g", element("path", d=lines, class_="axis"), *texts, title)


def left_width(scale: Scale) -> float:
    """The pixels that the texts of an axis from bottom to top need."""
    return max(map(len, tick_texts(ticks(scale))), default=0) * 7.3 + 14


def _texts_below(area: Area, scale: Scale, values: Sequence[float], texts: Sequence[str]) -> Iterable[Markup]:
    widest = max(map(len, texts), default=0) * 7.3 + 12
    distance = abs(scale(values[1]) - scale(values[0])) if len(values) > 1 else widest
    every = max(1, ceil(widest / max(distance, 1)))
    for value, text in list(zip(values, texts, strict=True))[::every]:
        yield element("text", text, x=f"{scale(value):.1f}", y=f"{area.bottom + 14:.1f}", class_="tick")


def name_below(area: Area, name: str) -> Markup:
    """What an axis from left to right is called."""
    place = {"x": f"{area.right:.1f}", "y": f"{area.bottom + 32:.1f}"}
    return element("text", label(name, AXIS_LETTERS), **place, class_="axis-name end")


LETTERS = 22
LINE = 13
"""The height of a line of text in pixels."""


def _limit(limit: Limit, path: str, text: str, css: str, **place: str) -> Markup:
    """A limit as a line with its name; one of a warning is shown like what is marginal, any other like what failed."""
    line = element("path", d=path, class_="limit warn" if limit.word.startswith("warn") else "limit")
    return element("g", element("title", _text(limit)), line, element("text", text, **place, class_=css))


def _text(limit: Limit) -> str:
    return f"{limit.word} {shown(limit.value, 'number')}"


def upright_limits(area: Area, scale: Scale, limits: Sequence[Limit]) -> Iterator[Markup]:
    """Upright lines, each with its name above the area; names that would overlap stand one above the other."""
    taken = [0.0] * 4
    for limit in sorted(limits, key=lambda one: one.value):
        at, text = scale(limit.value), label(_text(limit), LETTERS)
        half = len(text) * LETTER / 2 + 4
        row = next((row for row, end in enumerate(taken) if end <= at - half), len(taken) - 1)
        taken[row] = at + half
        place = {"x": f"{at:.1f}", "y": f"{area.top - 10 - row * LINE:.1f}"}
        yield _limit(limit, f"M{at:.1f} {area.top - 3:.1f}V{area.bottom:.1f}", text, "limit-name middle", **place)


def level_limits(area: Area, scale: Scale, limits: Sequence[Limit]) -> Iterator[Markup]:
    """Level lines, each with its name at the right; names that would overlap move down."""
    last = area.top - LINE
    for limit in sorted(limits, key=lambda one: -one.value):
        at = scale(limit.value)
        last = max(at, last + LINE)
        place = {"x": f"{area.right + 6:.1f}", "y": f"{last:.1f}"}
        path = f"M{area.left:.1f} {at:.1f}H{area.right:.1f}"
        yield _limit(limit, path, label(_text(limit), LETTERS), "limit-name", **place)


def names_width(limits: Sequence[Limit]) -> float:
    """The pixels at the right that the names of level limits need."""
    return max((len(label(_text(limit), LETTERS)) for limit in limits), default=0) * LETTER + 12
