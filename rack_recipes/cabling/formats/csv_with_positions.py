# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of CSV files by their headings, with line and column of each cell (RFC 4180)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DELIMITERS = ",;\t|"  # NetBox takes all of them
CELL = r'[ ]*"((?:[^"]|"")*)"[^{0}\r\n]*|([^{0}\r\n]*)'
LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row: the texts and the places by heading. `where` is the place of its first cell."""

    where: str
    cells: Mapping[str, str]
    places: Mapping[str, str]

    def __getitem__(self, heading: str) -> str:
        return self.cells.get(heading, "")

    def place(self, heading: str) -> str:
        """Where a cell is; that of a missing one is the row's."""
        return self.places.get(heading, self.where)


def headings(text: str) -> list[str]:
    """The headings in the first row, in small letters."""
    return [name.casefold() for _line, _column, name in next(_rows(text), [])]


def rows(text: str, name: str) -> Iterator[CsvRow]:
    """The rows after the first one. Empty rows and comments (`#`) are passed over."""
    found = _rows(text)
    titles = [title.casefold() for _line, _column, title in next(found, [])]
    for row in found:
        if not any(cell for _line, _column, cell in row) or row[0][2].startswith("#"):
            continue
        line, column, _cell = row[0]
        named = [*zip(titles, row, strict=False)]
        places = {title: f"{name}:{at}:{start}" for title, (at, start, _text) in named}
        yield CsvRow(f"{name}:{line}:{column}", {title: cell[2] for title, cell in named}, places)


def _rows(text: str) -> Iterator[list[tuple[int, int, str]]]:
    """Each row as line, column and text of its cells."""
    first = LINE_END.split(text, maxsplit=1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    cell = re.compile(CELL.format(re.escape(delimiter)))
    at, line, start = 0, 1, 0
    row: list[tuple[int, int, str]] = []
    while at < len(text):
        found = cell.match(text, at)
        if found is None:  # the pattern also matches nothing
            return
        quoted, plain = found.groups()
        row.append((line, at - start + 1, plain.strip() if quoted is None else quoted.replace('""', '"')))
        for end in LINE_END.finditer(text, at, found.end()):
            line, start = line + 1, end.end()
        at = found.end()
        if text.startswith(delimiter, at):
            at += 1
        elif ended := LINE_END.match(text, at):
            yield row
            row, at = [], ended.end()
            line, start = line + 1, at
    if row:
        yield row
