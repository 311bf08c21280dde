# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts as SVG, without scripts. Colours are set by class, so that the style sheet decides them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from math import ceil, floor, log10
from typing import Any

from markupsafe import Markup, escape

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from ansible_collections.rack.recipes.plugins.plugin_utils.report.safe_text import visible
from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Row, Table
from ansible_collections.rack.recipes.plugins.plugin_utils.report.verdict_colours import style_of

WIDTH = 1120
"""The width of a chart in pixels."""

LETTER = 7.3
"""The width of a letter of a label in pixels."""

LABEL_LETTERS = 30
LEAST_ACROSS, MOST_ACROSS = 5.0, 56.0
DOWN = ((40, 24), (100, 14), (400, 5), (10**9, 2))
"""Pairs: up to so many rows of a heat map, each row is so many pixels high."""

SLANT = 0.72
"""The width and height of a slanted label as a share of its length."""

GRID_FROM = 6
"""Cells of a heat map with at least so many pixels are separated by lines."""

SYMBOLS_FROM = 14
"""Cells of a heat map with at least so many pixels show the symbol of their verdict."""

MOST_BARS = 40
BAR = 24
LEAST_TIME = 0.001
"""The shortest time axis in seconds."""

TICKS = 5
CLOCK = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400)
"""Distances between two ticks of a time axis that are round on a clock, in seconds."""


def element(name: str, *content: str, **attributes: object) -> Markup:
    """One SVG element; content and attribute values are escaped unless they are markup already."""
    pairs = "".join(f' {key.strip("_").replace("_", "-")}="{_harmless(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{pairs}>{''.join(map(_harmless, content))}</{name}>")


def _harmless(value: object) -> Markup:
    return value if isinstance(value, Markup) else escape(visible(str(value)))


def label(text: str, letters: int = LABEL_LETTERS) -> str:
    """The text of a label; of a text that is too long, its beginning and its end."""
    plain = visible(text).replace("\n", "⏎")
    half = (letters - 1) // 2
    return plain if len(plain) <= letters else f"{plain[:half]}…{plain[-half:]}"


def _label_width(texts: Iterable[str]) -> float:
    return max((len(label(text)) for text in texts), default=0) * LETTER + 10


def _picture(css: str, width: float, height: float, title: str, *content: str, **attributes: str) -> Markup:
    return element(
        "svg", element("title", title), *content,
        class_=f"chart {css}", width=f"{width:.0f}", height=f"{height:.0f}",
        viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", **attributes,
    )  # fmt: skip


# --- Share of each verdict --------------------------------------------------------------------------------------------


def proportions(counts: Table) -> Markup:
    """One bar, divided by the shares of the verdicts."""
    parts, left = [], 0.0
    for verdict, results, share in counts.rows:
        width = share / 100 * WIDTH
        said = element("title", f"{verdict}: {results:,} ({share:.3g} %)")
        place = {"x": f"{left:.2f}", "y": 0, "width": f"{width:.2f}", "height": 14}
        parts.append(element("rect", said, **place, class_=f"v-{style_of(verdict)}"))
        left += width
    summary = ", ".join(f"{row[1]:,} {row[0]}" for row in counts.rows)
    title = f"Results by verdict: {summary}"
    return _picture("proportions", WIDTH, 14, title, *parts, preserveAspectRatio="none")


# --- Hosts x steps ----------------------------------------------------------------------------------------------------


def heat_map(matrix: Table) -> tuple[Markup, Markup]:
    """Head (names of the steps) and body (a row for each host) of the matrix of verdicts.

    The ground means passed. On it there is one path for each other verdict, and equal neighbours in a row are one piece
    of it. So the picture stays small even for thousands of hosts.
    """
    hosts, steps = [row[0] for row in matrix.rows], [column.name for column in matrix.columns[1:]]
    left, right = _label_width(hosts), _label_width(steps) * SLANT
    across = max(LEAST_ACROSS, min(MOST_ACROSS, (WIDTH - left - right) / max(len(steps), 1)))
    down = next(size for most, size in DOWN if len(hosts) <= most)
    width = left + across * len(steps) + right
    title = f"Verdicts of {len(hosts):,} hosts and {len(steps):,} steps"
    cells = Markup("").join(_cells(matrix, across, down))
    move = f"translate({left:.1f} 0)"
    group = element("g", cells, class_="cells", transform=move, data_across=f"{across:.3f}", data_down=down)
    body = _picture("map-body", width, down * len(hosts) + 1, title, _names(hosts, left, down), group)
    return _step_names(steps, left, across, width), body


def _cells(matrix: Table, across: float, down: int) -> Iterator[Markup]:
    columns, rows = len(matrix.columns) - 1, len(matrix.rows)
    size = f"scale({across:.3f} {down})"
    yield element("rect", width=f"{columns * across:.2f}", height=rows * down, class_="ground", data_verdict="passed")
    for verdict, (path, number) in _pieces(matrix.rows).items():
        title = element("title", f"{verdict or 'no result'}: {number:,}")
        css = f"v-{style_of(verdict)}" if verdict else "none"
        yield element("path", title, d=path, transform=size, class_=css, data_verdict=verdict)
    if min(across, down) >= GRID_FROM:
        upright = "".join(f"M{x * across:.2f} 0v{rows * down}" for x in range(columns + 1))
        level = "".join(f"M0 {y * down}h{columns * across:.2f}" for y in range(rows + 1))
        yield element("path", d=upright + level, class_="grid")
    if min(across, down) >= SYMBOLS_FROM:
        yield from _symbols(matrix.rows, across, down)


def _pieces(rows: Sequence[Row]) -> dict[str, tuple[str, int]]:
    """For each verdict but passed: its path, in units of a cell, and how many cells it covers."""
    paths: dict[str, list[str]] = {}
    cells: dict[str, int] = {}
    for y, row in enumerate(rows):
        x = 0
        for verdict, run in groupby(row[1:], key=lambda cell: cell or ""):
            length = len(list(run))
            if verdict != "passed":
                paths.setdefault(verdict, []).append(f"M{x} {y}h{length}v1h-{length}z")
                cells[verdict] = cells.get(verdict, 0) + length
            x += length
    order = [*VERDICTS, *sorted(set(paths) - set(VERDICTS))]
    return {verdict: ("".join(paths[verdict]), cells[verdict]) for verdict in order if verdict in paths}


def _symbols(rows: Sequence[Row], across: float, down: int) -> Iterator[Markup]:
    for y, row in enumerate(rows):
        for x, verdict in enumerate(row[1:]):
            if verdict and verdict != "passed":
                place = {"x": f"{(x + 0.5) * across:.1f}", "y": f"{(y + 0.5) * down:.1f}"}
                yield element("text", VERDICTS[style_of(verdict)].symbol, **place, class_="symbol")


def _names(hosts: Sequence[str], left: float, down: int) -> Markup:
    every = ceil(12 / down)
    texts = (
        element("text", element("title", host), label(host), x=f"{left - 6:.1f}", y=f"{(y + 0.5) * down:.1f}")
        for y, host in enumerate(hosts)
        if y % every == 0
    )
    return element("g", *texts, class_="names")


def _step_names(steps: Sequence[str], left: float, across: float, width: float) -> Markup:
    every = ceil(13 / across)
    height = _label_width(steps) * SLANT + 14
    texts = (
        element("text", element("title", step), label(step),
                transform=f"translate({left + (x + 0.5) * across + 3:.1f} {height - 5:.1f}) rotate(-45)")
        for x, step in enumerate(steps)
        if x % every == 0
    )  # fmt: skip
    return _picture("map-head", width, height, "Names of the steps", *texts)


# --- Times of steps ---------------------------------------------------------------------------------------------------


def bars(steps: Table) -> Markup:
    """Median and longest time of the steps; if there are too many, of those that took longest."""
    place = steps.place
    timed = [row for row in steps.rows if row[place("max")] is not None]
    longest = {row[0] for row in sorted(timed, key=lambda row: -row[place("max")])[:MOST_BARS]}
    rows = [row for row in timed if row[0] in longest]
    left = _label_width(row[0] for row in rows)
    most = max([row[place("max")] for row in rows], default=0) or LEAST_TIME
    ticks = _ticks(most)
    scale = _scale(left, WIDTH - 190, most)
    lines = [_bar(row, y, left, scale, place) for y, row in enumerate(rows)]
    title = f"Median and longest time of {len(rows)} steps"
    return _picture("bars", WIDTH, len(rows) * BAR + 30, title, _axis(ticks, scale, len(rows)), *lines)


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


def _ticks(most: float) -> list[float]:
    """Round times from 0 up to `most`."""
    rough = most / TICKS
    power = 10.0 ** floor(log10(rough))
    clock = [step for step in CLOCK if step >= rough >= CLOCK[0] / 2]
    step = clock[0] if clock else next(power * unit for unit in (1, 2, 5, 10) if power * unit >= rough)
    return [number * step for number in range(int(most / step) + 1)]


def seconds(value: Any) -> str:
    """A duration in words short enough for a chart: 12 ms, 3.4 s, 2 min 5 s, 1 h 3 min."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.3g} ms" if value else "0 s"
    if value < 60:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2])
