# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of the page.

As markup for paper and for browsers without scripts, and as a compressed block of data for its script.

100,000 results take 1.3 MB this way, and 19 MB as a list of objects.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from math import isfinite
from typing import Any, NamedTuple

from rack_recipes.report import format_values
from rack_recipes.report.format_values import cut, shown, visible
from rack_recipes.report.table_model import Column, Table

MOST_ROWS = 1000
MOST_MARKUP = 400_000
"""Characters in all cells of one table, so that long logs do not make the page slow."""
MOST_IN_MARKUP_CELL = 1000
MOST_IN_LINE = 100
WIDE_FROM = 36
"""A cell with more characters needs a wide column."""
CODE = frozenset({
    "host", "step", "key", "first_host", "slowest_host", "min_host", "max_host", "nearest_host", "run_id", "source_run",
    "hook", "through",
})  # fmt: skip
"""Columns whose cells are shown in the font for code."""


class Cell(NamedTuple):
    """A cell of the page: `look` is the verdict like which it is shown, `last` the last line of a log."""

    text: str
    css: str = ""
    look: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class TableView:
    """A table of the page: `rows` are those that fit."""

    table: Table
    rows: Sequence[Sequence[Cell]]
    head_column: int

    @property
    def total(self) -> int:
        """How many rows the table has."""
        return len(self.table.rows)

    @property
    def left_out(self) -> int:
        """How many of them are not in this view."""
        return self.total - len(self.rows)


def view(table: Table) -> TableView:
    """The rows of a table that fit on the page."""
    names = [column.name for column in table.columns]
    return TableView(table, list(_fitting_cells(table)), names.index("host") if "host" in names else 0)


def _fitting_cells(table: Table) -> Iterator[list[Cell]]:
    room = MOST_MARKUP
    for row in table.rows[:MOST_ROWS]:
        cells = [cell(value, column) for value, column in zip(row, table.columns, strict=True)]
        room -= sum(len(own.text) for own in cells)
        if room < 0:
            return
        yield cells


def cell(value: object, column: Column) -> Cell:
    """A value as a cell of the page."""
    text = cut(shown(value, column.kind), MOST_IN_MARKUP_CELL, at_end=column.kind != "log")
    if column.kind == "verdict":
        return Cell(text, "", format_values.style_of(str(value)) if value else "")
    if "\n" in text:
        return Cell(text, "log", last=cut(text.rstrip().rpartition("\n")[2], MOST_IN_LINE))
    if column.kind in ("number", "seconds"):
        return Cell(text, "n" if len(text) <= WIDE_FROM else "w")
    return Cell(text, _text_css(text, column))


def _text_css(text: str, column: Column) -> str:
    marks = {"c": column.name in CODE or column.kind == "json", "t": column.kind == "time", "w": len(text) > WIDE_FROM}
    return " ".join(mark for mark, holds in marks.items() if holds)


MOST_IN_BLOCK = 4_000_000
"""Characters in all different texts of one table, so that long logs do not make the page slow."""
MOST_IN_BLOCK_CELL = 2_000
GZIP = 16 + zlib.MAX_WBITS
LARGEST_WHOLE = 2**53
"""A greater whole number is text on the page, since scripts would round it."""
DIGITS = 6
TEXTS = frozenset((str, type(None)))
PLAIN = frozenset((int, float, type(None)))


@dataclass(frozen=True, slots=True)
class Block:
    """A table for the script: `text` is base64 of gzip of JSON, `rows` says how many rows are in it."""

    table: Table
    text: str
    rows: int

    @property
    def total(self) -> int:
        """How many rows the table has."""
        return len(self.table.rows)


def block(table: Table) -> Block:
    """The table for the script. Rows are left out at the end once `MOST_CHARACTERS` are used up."""
    data, fitting = _packed(table)
    return Block(table, b64encode(_compressed(data)).decode(), fitting)


def block_data(table: Table) -> bytes:
    """The table as JSON, for a script that asks a server for it; `total` says how many rows the table has."""
    return _packed(table)[0]


def _packed(table: Table) -> tuple[bytes, int]:
    """The table as JSON in columns, and how many rows are in it."""
    cells = [*zip(*table.rows, strict=True)] or [()] * len(table.columns)
    fitting = len(table.rows) if _fit_all(cells) else _count_fitting_rows(table.rows)
    columns = [_encoded(column, own[:fitting]) for column, own in zip(table.columns, cells, strict=True)]
    told = {"rows": fitting, "total": len(table.rows), "columns": columns}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode(), fitting


def _compressed(data: bytes) -> bytes:
    """The data as gzip, without a time: the same data gives the same bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, GZIP)
    return packer.compress(data) + packer.flush()


def _fit_all(columns: Sequence[Sequence[object]]) -> bool:
    """Whether all texts fit; one that is met twice takes room once."""
    with_texts = (own for own in columns if str in set(map(type, own)))
    texts = {cell for own in with_texts for cell in set(own) if isinstance(cell, str)}
    return sum(min(len(text), MOST_IN_BLOCK_CELL) for text in texts) <= MOST_IN_BLOCK


def _count_fitting_rows(rows: Sequence[Sequence[object]]) -> int:
    """How many rows fit; a text that was met before takes no room."""
    room, met = MOST_IN_BLOCK, set[str]()
    for number, row in enumerate(rows):
        for cell in row:
            if isinstance(cell, str) and cell not in met:
                met.add(cell)
                room -= min(len(cell), MOST_IN_BLOCK_CELL)
        if room < 0:
            return number
    return len(rows)


def _encoded(column: Column, values: Sequence[object]) -> dict[str, Any]:
    """A column with its `numbers`, its `times`, or its `words` and `codes`."""
    head = {"name": visible(column.name), "label": visible(column.label), "kind": column.kind}
    if column.kind in ("number", "seconds") and (numbers := _numbers(values, column)) is not None:
        return {**head, "numbers": numbers}
    if column.kind == "time" and (times := _times(values)) is not None:
        return {**head, "times": times}
    return {**head, **_coded(column, values)}


def _numbers(values: Sequence[Any], column: Column) -> list[float | None] | None:
    """The numbers, rounded; None where one is not plain. Equal ones are rounded once: a column has few different."""
    if not set(map(type, values)) <= PLAIN:
        return None
    different = set(values)
    if not all(map(_is_exact, different)):
        return None
    rounded = {value: _rounded(value, column) for value in different}
    return [*map(rounded.__getitem__, values)]


def _is_exact(value: float | None) -> bool:
    """Whether a script reads the number as it is."""
    return value is None or (abs(value) <= LARGEST_WHOLE if isinstance(value, int) else isfinite(value))


def _rounded(value: float | None, column: Column) -> float | None:
    if not isinstance(value, float):
        return value
    rounded = round(value, 3) if column.kind == "seconds" else float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) <= LARGEST_WHOLE else rounded


def _times(values: Sequence[Any]) -> list[int | None] | None:
    """Each time as milliseconds since the one before it, the first since 1970; None where one is no time in UTC."""
    found: list[int | None] = []
    last = 0
    try:
        moments = {value: _milliseconds(value) for value in set(values) if value is not None}
        for value in values:
            now = moments.get(value)
            found.append(None if now is None else now - last)
            last = last if now is None else now
    except (ValueError, OverflowError):
        return None
    return found


def _milliseconds(text: str) -> int:
    if len(text) > 40 or not text.endswith("Z"):
        raise ValueError(text)
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _coded(column: Column, values: Sequence[object]) -> dict[str, Any]:
    """Each different text once, and for each row its place there. The first text is that of an empty cell."""
    keys = values
    if not set(map(type, values)) <= TEXTS:
        # 1, 1.0 and True are equal, and are written differently.
        keys = [value if value is None or isinstance(value, str) else (type(value), value) for value in values]
    places = {key: place for place, key in enumerate(dict.fromkeys(chain([None], keys)))}
    codes = [*map(places.__getitem__, keys)]
    return {"words": [_text(key, column) for key in places], "codes": codes}


def _text(key: object, column: Column) -> str:
    value = key[1] if isinstance(key, tuple) else key
    return cut(shown(value, column.kind), MOST_IN_BLOCK_CELL, at_end=column.kind != "log")
