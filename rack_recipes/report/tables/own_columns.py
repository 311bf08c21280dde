# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Columns that a project adds to the tables of its reports: attributes of hosts, such as an asset tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.report.table_model import Column, Table, named
from rack_recipes.report.tables.host_table import ATTRIBUTE

FILE = "columns.yml"
EXPECTED = "expected tables, each with a list of columns such as {attribute: asset_tag, title: Asset tag}"

type Wanted = Mapping[str, Sequence[Mapping[str, str]]]


def with_own_columns(tables: Sequence[Table], folder: str) -> tuple[Table, ...]:
    """The tables with the columns that `columns.yml` in the folder adds at their ends; the same tables without it.

    Raises UsageError for a file that says something else, and for a table that is unknown or has no hosts.
    """
    path = Path(folder, FILE)
    if not folder or not path.is_file():
        return tuple(tables)
    wanted, by_name = _read(path), named(tables)
    for name in wanted:
        known = [table.name for table in tables if any(column.name == "host" for column in table.columns)]
        if name not in known:
            raise UsageError(f"{path}: there is no table {name!r} with hosts; there are {', '.join(known)}")
    return tuple(_extended(table, wanted.get(table.name, ()), by_name["hosts"]) for table in tables)


def _read(path: Path) -> Wanted:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(found, dict) or not all(
        isinstance(own, list) and all(map(_is_column, own)) for own in found.values()
    ):
        raise UsageError(f"{path}: {EXPECTED}")
    return found


def _is_column(own: Any) -> bool:
    is_text = isinstance(own, dict) and all(isinstance(text, str) for text in own.values())
    return is_text and "attribute" in own and own.keys() <= {"attribute", "title"}


def _extended(table: Table, wanted: Sequence[Mapping[str, str]], hosts: Table) -> Table:
    if not wanted:
        return table
    names = [f"{ATTRIBUTE}{own['attribute']}" for own in wanted]
    columns = [Column(name, own.get("title", own["attribute"])) for name, own in zip(names, wanted, strict=True)]
    cells = {row[hosts.place("host")]: _cells(row, names, hosts) for row in hosts.rows}
    empty, place = (None,) * len(names), table.place("host")
    rows = tuple((*row, *cells.get(row[place], empty)) for row in table.rows)
    return replace(table, columns=(*table.columns, *columns), rows=rows)


def _cells(row: Sequence[Any], names: Sequence[str], hosts: Table) -> tuple[Any, ...]:
    places = {column.name: place for place, column in enumerate(hosts.columns)}
    return tuple(row[places[name]] if name in places else None for name in names)
