# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables that every writer of a report gets, and how rows of a run become their cells.

Plain Python values, None for an empty cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isnan
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

    def records(self) -> Iterator[dict[str, Any]]:
        """The rows by column names."""
        names = [column.name for column in self.columns]
        return (dict(zip(names, row, strict=True)) for row in self.rows)

    def record(self) -> Mapping[str, Any]:
        """The first row by column names."""
        return next(self.records())


def named(tables: Sequence[Table]) -> dict[str, Table]:
    """The tables of a report by name."""
    return {table.name: table for table in tables}


RUN_SCOPED = "(run)"
"""Shown as the host of a step or a key that belongs to the run as a whole."""
STDERR_LINES, STDERR_CHARACTERS = 20, 2000
LEFT_OUT = re.compile(r"\[([\d,]+) characters before this are left out\]\n")


def rows(found: Sequence[Mapping[str, object]], columns: Sequence[Column]) -> tuple[Row, ...]:
    """The rows with the columns of these names; a missing cell is empty."""
    values = _values(found, [column.name for column in columns])
    return tuple(zip(*map(_cells, values, columns), strict=True))


def _cells(values: Sequence[object], column: Column) -> Sequence[Any]:
    if column.name.endswith("host"):
        return [RUN_SCOPED if host == "" else host for host in values] if "" in values else values
    convert = CONVERTERS.get(column.kind)
    return _converted(values, convert, PLAIN[column.kind]) if convert else values


def _converted(values: Sequence[object], convert: Callable[[Any], Any], plain: frozenset[type]) -> Sequence[Any]:
    types = set(map(type, values))
    if types <= plain:
        return values
    if types <= FLOATS:
        different = {value: convert(value) for value in set(values)}
        return [*map(different.__getitem__, values)]
    return [*map(convert, values)]


def _values(found: Sequence[Mapping[str, object]], names: Sequence[str]) -> list[Sequence[Any]]:
    """The values by column. Of each row those that the first one has are taken at once: that takes half as long."""
    common = [name for name in names if found and name in found[0]]
    values: dict[str, Sequence[Any]] = {}
    if len(common) > 1:
        with suppress(KeyError):
            values = dict(zip(common, zip(*map(itemgetter(*common), found), strict=True), strict=True))
    return [values[name] if name in values else [row.get(name) for row in found] for name in names]


def _number(value: object) -> Any:
    """A whole number as int, NaN as an empty cell, and what is no number as text: a measurement may be anything."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else None if isnan(value) else value
    return value if isinstance(value, str) or is_number(value) else to_json(value)


def _seconds(value: float | None) -> float | None:
    return None if value is None or isnan(value) else float(value)


_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False)


def to_json(value: object) -> str:
    """A value as JSON for people to read."""
    return _JSON.encode(value)


def is_number(value: object) -> bool:
    """Whether a value is a whole number or a float; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_text(value: object) -> str:
    """A text as it is, any other value as JSON."""
    return value if isinstance(value, str) else to_json(value)


def text_or_none(value: object) -> str | None:
    """The same for what may be missing."""
    return None if value is None else as_text(value)


def in_words(mapping: Mapping[str, object] | None, between: str) -> str | None:
    """Names and values on one line, such as `vlan = 12, team = "a"`; None where there is nothing to say."""
    return ", ".join(f"{name}{between}{as_text(value)}" for name, value in (mapping or {}).items()) or None


CONVERTERS: Mapping[Kind, Callable[[Any], Any]] = {"number": _number, "seconds": _seconds, "json": to_json}
"""What makes a cell of a value, by the kind of its column; other values are cells as they are."""
PLAIN: Mapping[Kind, frozenset[type]] = {
    "number": frozenset((int, type(None))),
    "seconds": frozenset((type(None),)),
    "json": frozenset(),
}
"""The types of values that are cells as they are, by the kind of their column: most columns have no others."""
FLOATS = frozenset((float, type(None)))


def tail(text: str, most: int = STDERR_CHARACTERS) -> str:
    """The last lines of a log, with a note of how many characters were left out before them.

    A log that was cut before may be cut once more. No line loses its beginning, unless it alone is too long.
    """
    earlier = LEFT_OUT.match(text)
    whole = (text[earlier.end() :] if earlier else text).rstrip()
    end = "\n".join(whole.split("\n")[-STDERR_LINES:])[-most:]
    left_out = len(whole) - len(end)
    if left_out and whole[left_out - 1] != "\n" and "\n" in end:
        end = end.partition("\n")[2]
    left_out = len(whole) - len(end) + (int(earlier[1].replace(",", "")) if earlier else 0)
    return f"[{left_out:,} characters before this are left out]\n{end}" if left_out else end
