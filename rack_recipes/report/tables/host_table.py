# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a run as a table, and the columns that a project adds to tables.

Attributes of hosts, such as an asset tag.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, VERDICTS, rank
from rack_recipes.analysis.run_data import Row, RunData
from rack_recipes.errors import UsageError
from rack_recipes.natural_order import natural
from rack_recipes.report.table_model import Column, Table, as_text, is_number, named
from rack_recipes.report.tables import columns as of
from rack_recipes.yaml_suffixes import either

COLUMNS_FILE = "columns.yml"
ATTRIBUTE = "attribute."
"""Begins the name of a column that shows an attribute of the inventory, for example `attribute.rack`."""


def host_table(run: RunData) -> Table:
    """A row for each host with results or attributes, in natural order.

    `verdict` is the gravest one. Where it does not pass, `step` and `reason` are those of the first such result.
    """
    of_host: dict[str, list[Row]] = {host: [] for host in run.attributes}
    for result in run.results:
        of_host.setdefault(result["host"], []).append(result)
    of_host.pop("", None)
    attributes = _attribute_columns(run.attributes.values())
    columns = (*of.HOSTS, *attributes.values(), *of.HOST_COUNTS)
    rows = (
        _row(host, of_host[host], run.attributes.get(host, {}), attributes) for host in sorted(of_host, key=natural)
    )
    return Table("hosts", "Hosts", columns, tuple(rows), of.ABOUT_HOSTS)


def _attribute_columns(attributes: Collection[Mapping[str, object]]) -> dict[str, Column]:
    """A column for each attribute, by its name; it has numbers where all hosts have numbers."""
    names = sorted({name for own in attributes for name in own}, key=natural)
    values = {name: [own[name] for own in attributes if own.get(name) is not None] for name in names}
    return {
        name: Column(f"{ATTRIBUTE}{name}", name, "number" if all(map(is_number, values[name])) else "text")
        for name in names
    }


def _row(host: str, found: Sequence[Row], attributes: Mapping[str, object], names: Iterable[str]) -> tuple[Any, ...]:
    counts = Counter(result["verdict"] for result in found)
    gravest = min(map(rank, counts), default=None)
    worst = next((result for result in found if rank(result["verdict"]) == gravest), {})
    where = (worst.get("step"), worst.get("reason") or None)
    told = where if worst.get("verdict") not in PASSING else (None, None)
    said = (_attribute(attributes.get(name)) for name in names)
    return host, worst.get("verdict"), *told, *said, len(found), *(counts[verdict] for verdict in VERDICTS)


def _attribute(value: object) -> Any:
    return value if value is None or is_number(value) else as_text(value)


EXPECTED = "expected tables, each with a list of columns such as {attribute: asset_tag, title: Asset tag}"
type Wanted = Mapping[str, Sequence[Mapping[str, str]]]


def with_own_columns(tables: Sequence[Table], folder: str) -> tuple[Table, ...]:
    """The tables with the columns that `columns.yml` in the folder adds at their ends; the same tables without it.

    Raises UsageError for a file that says something else, and for a table that is unknown or has no hosts.
    """
    path = either(Path(folder, COLUMNS_FILE))
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


def _cells(row: Sequence[object], names: Sequence[str], hosts: Table) -> tuple[Any, ...]:
    places = {column.name: place for place, column in enumerate(hosts.columns)}
    return tuple(row[places[name]] if name in places else None for name in names)
