# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables that every writer of a report gets; their cells are plain Python values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal

Kind = Literal["text", "number", "seconds", "time", "verdict", "json", "log"]
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `name` is for programs, `title` for people.

    Times are ISO 8601 text in UTC, seconds and numbers are int or float. A log is text whose end matters most.
    """

    name: str
    title: str
    kind: Kind = "text"
    unit: str = ""

    @property
    def label(self) -> str:
        """The title with its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report; None is an empty cell. A table with the layout `record` has one row, shown as a list."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    about: str = ""
    layout: Literal["rows", "record"] = "rows"

    def place(self, column: str) -> int:
        """The index of a column, by its name."""
        return next(place for place, own in enumerate(self.columns) if own.name == column)

    def values(self, column: str) -> list[Any]:
        """One column's cells, from top to bottom."""
        return [*map(itemgetter(self.place(column)), self.rows)]

    def record(self) -> Mapping[str, Any]:
        """The first row by column names."""
        return dict(zip((column.name for column in self.columns), self.rows[0], strict=True))


def named(tables: Sequence[Table]) -> dict[str, Table]:
    """The tables of a report by name."""
    return {table.name: table for table in tables}
