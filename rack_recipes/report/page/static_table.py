# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables that stand on the page as markup, for paper and for browsers without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rack_recipes.report import verdict_styles
from rack_recipes.report.format_values import cut, shown
from rack_recipes.report.table_model import Column, Table

MOST_ROWS = 1000
MOST_CHARACTERS = 400_000
"""Characters in all cells of one table, so that long logs do not make the page slow."""

MOST_IN_CELL = 1000
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
    return TableView(table, list(_fitting(table)), names.index("host") if "host" in names else 0)


def _fitting(table: Table) -> Iterator[list[Cell]]:
    room = MOST_CHARACTERS
    for row in table.rows[:MOST_ROWS]:
        cells = [cell(value, column) for value, column in zip(row, table.columns, strict=True)]
        room -= sum(len(own.text) for own in cells)
        if room < 0:
            return
        yield cells


def cell(value: Any, column: Column) -> Cell:
    """A value as a cell of the page."""
    text = cut(shown(value, column.kind), MOST_IN_CELL, at_end=column.kind != "log")
    if column.kind == "verdict":
        return Cell(text, "", verdict_styles.style_of(str(value)) if value else "")
    if "\n" in text:
        return Cell(text, "log", last=cut(text.rstrip().rpartition("\n")[2], MOST_IN_LINE))
    if column.kind in ("number", "seconds"):
        return Cell(text, "n" if len(text) <= WIDE_FROM else "w")
    return Cell(text, _text_css(text, column))


def _text_css(text: str, column: Column) -> str:
    marks = {"c": column.name in CODE or column.kind == "json", "t": column.kind == "time", "w": len(text) > WIDE_FROM}
    return " ".join(mark for mark, holds in marks.items() if holds)
