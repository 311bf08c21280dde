# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pictures of what was measured: how the values spread, and where in the racks, with their limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.box_plot import box_plot
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.chart_model import (
    Chart,
    Limit,
    Quantity,
    is_drawable,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.histogram import histogram
from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Table

MOST = 20
"""So many measurements have pictures, those nearest to a limit first."""

FEWEST = 3
"""A measurement with fewer values has no pictures: its values say all."""

NO_RACK = "all hosts"
_LIMIT = re.compile(r"(?:^|, )((?:warn )?[a-z]+) (-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?=,|$)")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of a step with its pictures; `verdict` is the worst one of its values, or empty."""

    step: str
    name: str
    unit: str
    verdict: str
    values: int
    limits: str
    charts: tuple[Chart, ...]


def measured(values: Table, racks: Mapping[str, str]) -> list[Measured]:
    """The measurements with pictures, in the order of the table: its first values are nearest to their limits.

    `racks` has the rack of each host whose rack is known.
    """
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    names = [column.name for column in values.columns]
    for row in values.rows:
        cells = dict(zip(names, row, strict=True))
        if is_drawable(cells["value"]):
            found.setdefault((cells["step"], cells["name"], cells["unit"] or ""), []).append(cells)
    enough = [(place, rows) for place, rows in found.items() if len(rows) >= FEWEST]
    return [_measured(*place, rows, racks) for place, rows in enough[:MOST]]


def _measured(step: str, name: str, unit: str, rows: Sequence[Mapping[str, Any]], racks: Mapping[str, str]) -> Measured:
    quantity, limits = Quantity(name, unit), rows[0]["limits"] or ""
    charts = pictures_of(quantity, [(row["host"], float(row["value"])) for row in rows], limits, racks)
    return Measured(step, name, unit, rows[0]["verdict"] or "", len(rows), limits, charts)


def pictures_of(
    quantity: Quantity, values: Sequence[tuple[str, float]], limits: str, racks: Mapping[str, str]
) -> tuple[Chart, ...]:
    """The pictures of one measurement: a histogram, and a box for each rack; `values` are hosts with their values."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for host, value in values:
        groups.setdefault(racks.get(host, NO_RACK), []).append((host, value))
    lines = [*limits_in(limits)]
    return histogram(quantity, [value for _host, value in values], lines), box_plot(quantity, groups, lines)


def limits_in(words: str) -> Iterable[Limit]:
    """The limits that are numbers, from limits in words such as `min 3, max 9, warn max 8`."""
    return (Limit(word, float(number)) for word, number in _LIMIT.findall(words))
