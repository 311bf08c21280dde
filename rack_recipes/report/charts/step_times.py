# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Median and longest time of steps, as bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from rack_recipes.report.charts.axes import time_ticks
from rack_recipes.report.charts.number_words import seconds
from rack_recipes.report.charts.svg_elements import WIDTH, element, label, label_width, picture
from rack_recipes.report.table_model import Row, Table

MOST_BARS = 40
BAR = 24
LEAST_TIME = 0.001
"""The shortest time axis in seconds."""


def bars(steps: Table) -> Markup:
    """Median and longest time of the steps; if there are too many, of those that took longest."""
    place = steps.place
    timed = [row for row in steps.rows if row[place("max")] is not None]
    longest = {row[0] for row in sorted(timed, key=lambda row: -row[place("max")])[:MOST_BARS]}
    rows = [row for row in timed if row[0] in longest]
    left = label_width(row[0] for row in rows)
    most = max([row[place("max")] for row in rows], default=0) or LEAST_TIME
    ticks = time_ticks(most)
    scale = _scale(left, WIDTH - 190, most)
    lines = [_bar(row, y, left, scale, place) for y, row in enumerate(rows)]
    title = f"Median and longest time of {len(rows)} steps"
    return picture("bars", WIDTH, len(rows) * BAR + 30, title, _axis(ticks, scale, len(rows)), *lines)


def _scale(left: float, right: float, most: float) -> Callable[[float], float]:
    return lambda seconds: left + (right - left) * seconds / most


def _bar(row: Row, number: int, left: float, scale: Callable[[float], float], place: Callable[[str], int]) -> Markup:
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


def _axis(ticks: Sequence[float], scale: Callable[[float], float], rows: int) -> Markup:
    lines = element("path", d="".join(f"M{scale(at):.1f} 22v{rows * BAR + 4}" for at in ticks), class_="axis")
    texts = (element("text", seconds(at), x=f"{scale(at):.1f}", y=12, class_="tick") for at in ticks)
    return element("g", lines, *texts)
