# SPDX-License-Identifier: GPL-3.0-or-later

"""Cables in CSV files: NetBox's import form, the export of its table of cables, the link files of sonic-mgmt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rack_recipes.cabling.plan_model import Cable, Draft, End, Position
from rack_recipes.recipe.values_in_messages import closest, listed

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


INTERFACES = ("dcim.interface", "interface", "")
CONNECTED = ("connected", "")


@dataclass(frozen=True, slots=True)
class Columns:
    """The headings of a format in small letters; those of `a` and `b` are device and port.

    `joined` says that several ports at one end stand in one cell, with commas between them.
    """

    a: tuple[str, str]
    b: tuple[str, str]
    types: tuple[str, ...] = ()
    racks: tuple[str, ...] = ()
    joined: bool = False
    label: str = "label"
    status: str = "status"

    @property
    def needed(self) -> tuple[str, ...]:
        """The headings without which there are no cables."""
        return (*self.a, *self.b)


IMPORT_FORM = Columns(
    ("side_a_device", "side_a_name"), ("side_b_device", "side_b_name"), types=("side_a_type", "side_b_type")
)
"""NetBox's form (netbox/dcim/forms/bulk_import.py, CableImportForm)."""
TABLE = Columns(("device a", "termination a"), ("device b", "termination b"), racks=("rack a", "rack b"), joined=True)
"""NetBox's table (netbox/dcim/tables/cables.py, CableTable) as it is exported."""
SONIC = Columns(("startdevice", "startport"), ("enddevice", "endport"))
"""sonic-mgmt's ansible/files/*_links.csv (docs/testbed/README.testbed.Config.md)."""
SONIC_DEVICES = ("hostname", "hwsku")


def read_sonic_devices(text: str, name: str) -> Draft:
    """The names in a device file of sonic-mgmt."""
    draft = Draft(listed_in=[name])
    for row in rows(text, name):
        if row["hostname"]:
            draft.devices.setdefault(row["hostname"], row.place("hostname"))
    return draft


def read_cables(text: str, name: str, columns: Columns) -> Draft:
    """The cables in a file with these columns, with the racks of the devices where it has them."""
    draft = Draft()
    known = headings(text)
    for missing in (title for title in columns.needed if title not in known):
        draft.wrong(f"{name}:1:1", f"the column {missing}", listed(known, len(known)), closest(missing, tuple(known)))
    if draft.problems:
        return draft
    for row in rows(text, name):
        if reason := _is_left_out(row, columns):
            draft.left_out[reason] += 1
        else:
            _add(draft, row, columns)
    return draft


def _is_left_out(row: CsvRow, columns: Columns) -> str:
    """Why a row is no cable between two ports of a network; empty where it is one."""
    other = next((row[title] for title in columns.types if row[title].casefold() not in INTERFACES), "")
    if other:
        return f"ends at {other}"
    if row[columns.status].casefold() not in CONNECTED:
        return f"status {row[columns.status]}"
    several = columns.joined and any("," in row[title] for title in columns.needed)
    return "several ports at one end" if several else ""


def _add(draft: Draft, row: CsvRow, columns: Columns) -> None:
    empty = [title for title in columns.needed if not row[title]]
    for title in empty:
        draft.wrong(row.place(title), f"a name in the column {title}", "nothing")
    if empty:
        return
    a, b = (End(row[device], row[port]) for device, port in (columns.a, columns.b))
    draft.cables.append(Cable(a, b, row[columns.label], where=row.where))
    for end, title in zip((a, b), columns.racks, strict=False):
        if row[title]:
            draft.positions[end.device] = Position(row[title])
