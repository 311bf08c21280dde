# SPDX-License-Identifier: GPL-3.0-or-later

"""Heat maps: verdicts by host and step, or numbers by place; and the share of each verdict as one bar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil
from typing import Any

from markupsafe import Markup

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS, rank
from rack_recipes.journal.step_results_and_end_status import counts_in_words
from rack_recipes.natural_order import natural
from rack_recipes.report.charts.chart_elements import (
    LEVELS,
    WIDTH,
    Chart,
    Quantity,
    element,
    is_drawable,
    label,
    label_width,
    picture,
)
from rack_recipes.report.format_values import number, style_of
from rack_recipes.report.table_model import Column, Row, Table


def proportions(counts: Table) -> Markup:
    """One bar, divided by the shares of the verdicts."""
    return proportions_of({str(verdict): results for verdict, results, _share in counts.rows})


def proportions_of(counts: Mapping[str, int]) -> Markup:
    """One bar, divided by how many results each verdict has."""
    parts, left, total = [], 0.0, sum(counts.values())
    for verdict, results in sorted(counts.items(), key=lambda one: rank(one[0])):
        share = results / total * 100
        width = share / 100 * WIDTH
        said = element("title", f"{verdict}: {results:,} ({share:.3g} %)")
        place = {"x": f"{left:.2f}", "y": 0, "width": f"{width:.2f}", "height": 14}
        parts.append(element("rect", said, **place, class_=f"v-{style_of(verdict)}"))
        left += width
    title = f"Results by verdict: {counts_in_words(counts)}"
    return picture("proportions", WIDTH, 14, title, *parts, preserveAspectRatio="none")


LEAST_ACROSS, MOST_ACROSS = 5.0, 56.0
DOWN = ((40, 24), (100, 14), (400, 5), (10**9, 2))
"""Pairs: up to so many rows of a heat map, each row is so many pixels high."""
SLANT = 0.72
"""The width and height of a slanted label as a share of its length."""
GRID_FROM = 6
"""Cells of a heat map with at least so many pixels are separated by lines."""
SYMBOLS_FROM = 14
"""Cells of a heat map with at least so many pixels show the symbol of their verdict."""
KEY_HEIGHT = 34


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of rows and columns, and sizes in pixels: of the names at the left, of a cell, of the whole."""

    rows: Sequence[str]
    columns: Sequence[str]
    left: float
    across: float
    down: int
    width: float

    @property
    def move(self) -> str:
        """The move to where the cells begin."""
        return f"translate({self.left:.1f} 0)"


def heat_map(matrix: Table) -> tuple[Markup, Markup]:
    """Head (names of the columns) and body (a row for each host) of a matrix of verdicts, as two pictures.

    The ground means passed. On it there is one path for each other verdict, and equal neighbours in a row are one piece
    of it. So the picture stays small even for thousands of hosts.
    """
    layout = _layout(matrix)
    names, height = _column_names(layout)
    head = picture("map-head", layout.width, height, "Names of the steps", *names)
    body = picture("map-body", layout.width, layout.down * len(layout.rows) + 1, _title(layout), *_body(matrix, layout))
    return head, body


def verdict_map(matrix: Table) -> Chart:
    """A matrix of verdicts as one picture, which tells what its colours mean."""
    layout = _layout(matrix)
    names, height = _column_names(layout)
    below = height + layout.down * len(layout.rows)
    body = element("g", *_body(matrix, layout), transform=f"translate(0 {height:.1f})")
    key = element("g", *_key(matrix.rows), transform=f"translate(4 {below + 10:.1f})")
    return Chart(picture("map", layout.width, below + KEY_HEIGHT, _title(layout), *names, body, key), matrix)


def gather_rows(matrix: Table, group_of: Callable[[str], str], title: str = "Rack") -> Table:
    """The matrix with one row for each group of hosts, such as a rack; a cell is the worst verdict of the group."""
    groups: dict[str, list[Row]] = {}
    for row in matrix.rows:
        groups.setdefault(group_of(row[0]), []).append(row[1:])
    rows = tuple((name, *map(_worst, zip(*cells, strict=True))) for name, cells in groups.items())
    return replace(matrix, columns=(Column("group", title), *matrix.columns[1:]), rows=rows)


def pair_matrix(results: Iterable[Mapping[str, Any]], step: str) -> Table:
    """The verdicts of a step between hosts, with a row and a column for each host; the worst of a pair counts."""
    cells: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in results:
        one, other = row["members"]
        cells[one, other].append(row["verdict"])
        cells[other, one].append(row["verdict"])
    names = sorted({name for pair in cells for name in pair}, key=natural)
    columns = (Column("host", "Host"), *(Column(name, name, "verdict") for name in names))
    rows = tuple((one, *(_worst(cells.get((one, other), ())) for other in names)) for one in names)
    return Table("pairs", f"Pairs of {step}", columns, rows, "The verdict of each pair of hosts.")


def _worst(verdicts: Iterable[str | None]) -> str | None:
    return min(filter(None, verdicts), key=rank, default=None)


def _layout(matrix: Table) -> Layout:
    rows, columns = [row[0] for row in matrix.rows], [column.title for column in matrix.columns[1:]]
    left, right = label_width(rows), label_width(columns) * SLANT
    across = max(LEAST_ACROSS, min(MOST_ACROSS, (WIDTH - left - right) / max(len(columns), 1)))
    down = next(size for most, size in DOWN if len(rows) <= most)
    return Layout(rows, columns, left, across, down, left + across * len(columns) + right)


def _title(layout: Layout) -> str:
    return f"Verdicts of {len(layout.rows):,} hosts and {len(layout.columns):,} steps"


def _body(matrix: Table, layout: Layout) -> tuple[Markup, Markup]:
    sizes = {"data_across": f"{layout.across:.3f}", "data_down": layout.down}
    cells = Markup("").join(_cells(matrix, layout.across, layout.down))
    return _row_names(layout), element("g", cells, class_="cells", transform=layout.move, **sizes)


def _cells(matrix: Table, across: float, down: int) -> Iterator[Markup]:
    columns, rows = len(matrix.columns) - 1, len(matrix.rows)
    size = f"scale({across:.3f} {down})"
    yield element("rect", width=f"{columns * across:.2f}", height=rows * down, class_="ground", data_verdict="passed")
    for verdict, (path, number_of) in _pieces(matrix.rows).items():
        title = element("title", f"{verdict or 'no result'}: {number_of:,}")
        css = f"v-{style_of(verdict)}" if verdict else "none"
        yield element("path", title, d=path, transform=size, class_=css, data_verdict=verdict)
    if min(across, down) >= GRID_FROM:
        yield _grid(columns, rows, across, down)
    if min(across, down) >= SYMBOLS_FROM:
        yield from _symbols(matrix.rows, across, down)


def _grid(columns: int, rows: int, across: float, down: int) -> Markup:
    upright = "".join(f"M{x * across:.2f} 0v{rows * down}" for x in range(columns + 1))
    level = "".join(f"M0 {y * down}h{columns * across:.2f}" for y in range(rows + 1))
    return element("path", d=upright + level, class_="grid")


def _pieces(rows: Sequence[Row]) -> dict[str, tuple[str, int]]:
    """For each verdict but passed: its path, in units of a cell, and how many cells it covers."""
    paths: dict[str, list[str]] = {}
    cells: dict[str, int] = {}
    for y, row in enumerate(rows):
        x = 0
        for verdict, run in groupby([cell or "" for cell in row[1:]]):
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


def _row_names(layout: Layout) -> Markup:
    every = ceil(12 / layout.down)
    texts = (
        element("text", element("title", name), label(name), x=f"{layout.left - 6:.1f}",
                y=f"{(place + 0.5) * layout.down:.1f}")
        for place, name in enumerate(layout.rows)
        if place % every == 0
    )  # fmt: skip
    return element("g", *texts, class_="names")


def _column_names(layout: Layout) -> tuple[Iterator[Markup], float]:
    """The slanted names of the columns, and how many pixels they are high."""
    every = ceil(13 / layout.across)
    height = label_width(layout.columns) * SLANT + 14
    texts = (
        element("text", element("title", name), label(name),
                transform=f"translate({layout.left + (x + 0.5) * layout.across + 3:.1f} {height - 5:.1f}) rotate(-45)")
        for x, name in enumerate(layout.columns)
        if x % every == 0
    )  # fmt: skip
    return texts, height


def _key(rows: Sequence[Row]) -> Iterator[Markup]:
    """The verdicts that the map has, each with its colour and symbol."""
    seen = {verdict for row in rows for verdict in row[1:] if verdict}
    x = 0.0
    for verdict in (name for name in VERDICTS if name in seen):
        css = "ground" if verdict == "passed" else f"v-{verdict}"
        yield element("rect", x=f"{x:.1f}", y=0, width=16, height=16, rx=3, class_=css)
        if verdict != "passed":
            yield element("text", VERDICTS[verdict].symbol, x=f"{x + 8:.1f}", y=8, class_="symbol")
        yield element("text", verdict, x=f"{x + 22:.1f}", y=8)
        x += 22 + label_width([verdict]) + 12


# --- Numbers ----------------------------------------------------------------------------------------------------------
def number_map(quantity: Quantity, table: Table) -> Chart:
    """Numbers by place, as temperatures by rack and position: the first column names the rows, all others have numbers.

    A cell without a finite number stays empty.
    """
    layout = _layout(table)
    known = [cell for row in table.rows for cell in row[1:] if is_drawable(cell)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    names, height = _column_names(layout)
    below = height + layout.down * len(layout.rows)
    cells = element(
        "g", *_number_cells(table, layout, low, high), transform=f"translate({layout.left:.1f} {height:.1f})"
    )
    side = element("g", _row_names(layout), transform=f"translate(0 {height:.1f})")
    key = element("g", *_level_key(quantity, low, high), transform=f"translate(4 {below + 10:.1f})")
    title = f"{quantity.label}: {len(known):,} values from {number(low)} to {number(high)}"
    return Chart(picture("map", max(layout.width, 560), below + KEY_HEIGHT, title, *names, side, cells, key), table)


def map_by_place(quantity: Quantity, values: Mapping[tuple[str, str], float], name: str, title: str) -> Chart:
    """Numbers by rack and position, as `number_map` draws them; `name` and `title` are those of its table."""
    racks, positions = (sorted({place[end] for place in values}, key=natural) for end in (0, 1))
    columns = (Column("rack", "Rack"), *(Column(one, one, "number", quantity.unit) for one in positions))
    rows = tuple((rack, *(values.get((rack, position)) for position in positions)) for rack in racks)
    return number_map(quantity, Table(name, title, columns, rows, "The values by rack and position."))


def _number_cells(table: Table, layout: Layout, low: float, high: float) -> Iterator[Markup]:
    size = {"width": f"{max(layout.across - 1, 1):.1f}", "height": max(layout.down - 1, 1)}
    for y, row in enumerate(table.rows):
        for x, value in enumerate(row[1:]):
            if is_drawable(value):
                said = element("title", f"{layout.rows[y]}, {layout.columns[x]}: {number(value)}")
                place = {"x": f"{x * layout.across:.1f}", "y": y * layout.down}
                yield element("rect", said, **place, **size, class_=f"l-{level_of(value, low, high)}")


def level_of(value: float, low: float, high: float) -> int:
    """The place of a value's colour in `LEVELS`."""
    share = (value - low) / (high - low) if high > low else 0.5
    return min(int(share * len(LEVELS)), len(LEVELS) - 1)


def _level_key(quantity: Quantity, low: float, high: float) -> Iterator[Markup]:
    yield element("text", number(low), x=0, y=8)
    start = label_width([number(low)])
    for place in range(len(LEVELS)):
        yield element("rect", x=f"{start + place * 22:.1f}", y=0, width=22, height=16, class_=f"l-{place}")
    yield element("text", f"{number(high)} {quantity.unit}", x=f"{start + len(LEVELS) * 22 + 8:.1f}", y=8)
