# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one JSON file for programs, as docs/report.schema.json describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from rack_recipes.report.format_values import visible
from rack_recipes.report.table_model import Column, Kind, Table
from rack_recipes.version import VERSION

FORMAT = 1
"""The version of this format. It rises when a program that reads it must be changed; what is added leaves it."""


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write `report.json` into the folder."""
    path = folder / "report.json"
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(_parts(tables))
    return [path]


def _parts(tables: Sequence[Table]) -> Iterator[str]:
    """The text of the file, a row on each line, so that a long report is never in memory as a whole."""
    head = {"format": FORMAT, "generator": f"rack.recipes {VERSION}"}
    yield f"{_text(head)[:-1]},\n{_text('tables')}: {{"
    for number, table in enumerate(tables):
        yield f"{',' if number else ''}\n{_text(table.name)}: "
        yield from _table(table)
    yield "\n}}\n"


def as_data(table: Table) -> dict[str, Any]:
    """A table as plain data, as the file has it."""
    return {**_head(table), "rows": [_record(row, table.columns) for row in table.rows]}


def _head(table: Table) -> dict[str, Any]:
    columns = [{"name": one.name, "title": one.title, "kind": one.kind, "unit": one.unit} for one in table.columns]
    told: dict[str, Any] = harmless({"title": table.title, "about": table.about, "columns": columns})
    return told


def _table(table: Table) -> Iterator[str]:
    yield f"{_text(_head(table))[:-1]}, {_text('rows')}: ["
    for number, row in enumerate(table.rows):
        yield f"{',' if number else ''}\n{_text(_record(row, table.columns))}"
    yield "\n]}"


def _record(row: Sequence[object], columns: Sequence[Column]) -> dict[str, Any]:
    return {visible(column.name): value_of(cell, column.kind) for cell, column in zip(row, columns, strict=True)}


def value_of(cell: object, kind: Kind) -> Any:
    """A cell as JSON can hold it: what is JSON already is no text in the file, and no number is NaN."""
    if kind == "json" and isinstance(cell, str):
        return harmless(json.loads(cell))
    return harmless(cell)


def harmless(value: object) -> Any:
    """A value with all its text made visible, and without numbers that JSON does not have."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, dict):
        return {visible(str(key)): harmless(part) for key, part in value.items()}
    return [harmless(part) for part in value] if isinstance(value, list | tuple) else value


def _text(value: object) -> str:
    """JSON text with ASCII characters alone, which no terminal obeys."""
    return json.dumps(value, allow_nan=False)
