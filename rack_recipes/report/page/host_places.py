# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where hosts stand: the order of racks and positions in which the page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from rack_recipes.natural_order import natural
from rack_recipes.report.table_model import Column, Table

RACK, POSITION = "attribute.rack", "attribute.position"
GROUP = 40
"""So many hosts are shown as one row where no rack is known."""


@dataclass(frozen=True, slots=True)
class HostPlace:
    """A host with its gravest verdict; `rack` and `position` are empty where the inventory does not name them."""

    host: str
    verdict: str
    rack: str = ""
    position: str = ""


@dataclass(frozen=True, slots=True)
class HostGroup:
    """The hosts of one rack from the top down, or so many hosts without a rack."""

    name: str
    hosts: tuple[HostPlace, ...]


def places(hosts: Table) -> list[HostPlace]:
    """The hosts of the table `hosts`, by rack and from the top of each rack down; those without a rack come last."""
    names = [column.name for column in hosts.columns]
    found = [_place(dict(zip(names, row, strict=True))) for row in hosts.rows]
    by_name = sorted(found, key=lambda one: natural(one.host))
    from_top = sorted(by_name, key=lambda one: natural(one.position), reverse=True)
    return sorted(_stable(by_name, from_top), key=lambda one: (one.rack == "", natural(one.rack)))


def _stable(by_name: list[HostPlace], from_top: list[HostPlace]) -> list[HostPlace]:
    """By position only where hosts have one, so that hosts without one keep the order of their names."""
    return from_top if any(one.position for one in by_name) else by_name


def _place(cells: Mapping[str, Any]) -> HostPlace:
    rack, position = (str(cells.get(name) or "") for name in (RACK, POSITION))
    return HostPlace(cells["host"], cells["verdict"] or "", rack, position)


def groups(hosts: Sequence[HostPlace]) -> list[HostGroup]:
    """The racks in their order, each with its hosts. Without any rack: groups of hosts that follow each other."""
    if any(one.rack for one in hosts):
        return [HostGroup(rack or "no rack", tuple(own)) for rack, own in groupby(hosts, key=lambda one: one.rack)]
    pieces = [tuple(hosts[start : start + GROUP]) for start in range(0, len(hosts), GROUP)]
    return [HostGroup(_range(piece), piece) for piece in pieces]


def _range(piece: Sequence[HostPlace]) -> str:
    return piece[0].host if len(piece) == 1 else f"{piece[0].host} … {piece[-1].host}"


def by_place(matrix: Table, hosts: Sequence[HostPlace]) -> Table:
    """The matrix of verdicts with its rows in this order; rows of no host, such as that of the run, come first."""
    order = {one.host: number for number, one in enumerate(hosts)}
    return replace(matrix, rows=tuple(sorted(matrix.rows, key=lambda row: order.get(row[0], -1))))


def with_racks(verdicts: Table, hosts: Sequence[HostPlace]) -> Table:
    """The table of results with the rack of each host, if racks are known and the table does not have them."""
    racks = {one.host: one.rack for one in hosts if one.rack}
    if not racks:
        return verdicts
    place = verdicts.place("host") + 1
    rows = tuple((*row[:place], racks.get(row[place - 1]), *row[place:]) for row in verdicts.rows)
    columns = (*verdicts.columns[:place], Column("rack", "Rack"), *verdicts.columns[place:])
    return replace(verdicts, columns=columns, rows=rows)
