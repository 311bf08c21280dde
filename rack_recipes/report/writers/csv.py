# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as CSV files, one for each table, with all rows and digits. A spreadsheet runs none of the text."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rack_recipes.private_files import FOLDER_MODE
from rack_recipes.report.format_values import visible
from rack_recipes.report.table_model import Table

FORMULA = re.compile(r" *[=+\-@\t\r\n＝＋－＠]")
"""Matches the start of a text that a spreadsheet may take for a formula."""

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write `csv/<table>.csv` for each table into the folder."""
    target = folder / "csv"
    target.mkdir(mode=FOLDER_MODE)
    return [_write(table, target / f"{table.name}.csv") for table in tables]


def _write(table: Table, path: Path) -> Path:
    # The byte order mark tells Excel that the file is UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([harmless(column.name) for column in table.columns])
        writer.writerows(map(harmless, row) for row in table.rows)
    return path


def harmless(value: object) -> Any:
    """The value; text that a spreadsheet would run gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text
