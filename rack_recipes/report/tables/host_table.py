# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a run as a table: what the inventory says of each, and how its results ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, VERDICTS
from rack_recipes.analysis.run_data import Row, RunData
from rack_recipes.analysis.verdict_order import rank
from rack_recipes.natural_order import natural
from rack_recipes.report.table_model import Column, Table
from rack_recipes.report.tables import columns as of
from rack_recipes.report.tables.cells import as_text, is_number

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


def _attribute_columns(attributes: Collection[Mapping[str, Any]]) -> dict[str, Column]:
    """A column for each attribute, by its name; it has numbers where all hosts have numbers."""
    names = sorted({name for own in attributes for name in own}, key=natural)
    values = {name: [own[name] for own in attributes if own.get(name) is not None] for name in names}
    return {
        name: Column(f"{ATTRIBUTE}{name}", name, "number" if all(map(is_number, values[name])) else "text")
        for name in names
    }


def _row(host: str, found: Sequence[Row], attributes: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    counts = Counter(result["verdict"] for result in found)
    gravest = min(map(rank, counts), default=None)
    worst = next((result for result in found if rank(result["verdict"]) == gravest), {})
    where = (worst.get("step"), worst.get("reason") or None)
    told = where if worst.get("verdict") not in PASSING else (None, None)
    said = (_attribute(attributes.get(name)) for name in names)
    return host, worst.get("verdict"), *told, *said, len(found), *(counts[verdict] for verdict in VERDICTS)


def _attribute(value: Any) -> Any:
    return value if value is None or is_number(value) else as_text(value)
