# SPDX-License-Identifier: GPL-3.0-or-later

"""Where hosts stand.

The order of racks and positions in which the page shows them, and one small picture of all racks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS, rank
from rack_recipes.analysis.findings import format_count
from rack_recipes.natural_order import natural
from rack_recipes.report.charts.chart_elements import LETTER, element, label
from rack_recipes.report.format_values import style_of, visible
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
    found = sorted(map(_place, hosts.records()), key=lambda one: natural(one.host))
    if any(one.position for one in found):  # else hosts keep the order of their names
        found.sort(key=lambda one: natural(one.position), reverse=True)
    return sorted(found, key=lambda one: (one.rack == "", natural(one.rack)))


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


WIDTH = 460
"""The width of the picture in pixels."""
LEAST_ACROSS, MOST_ACROSS = 40.0, 230.0
LEAST_DOWN, MOST_DOWN, ALL_DOWN = 3.0, 24.0, 240.0
"""The height of a tile: all tiles of one rack share ALL_DOWN."""
NAME, GAP = 18, 4
NAMED_FROM = 15
"""Tiles with at least so many pixels in height show the name of their host."""
MOST_LINKS = 64
"""Up to so many hosts each tile is a link, which the keyboard reaches too."""
MOST_HOSTS = 2000
"""With more hosts there is one tile for each rack."""
HostLink = Callable[[str], str]


def address(text: str) -> str:
    """A text as a part of a link within the page."""
    return quote(visible(text), safe="")


def in_page(host: str) -> str:
    """The address of a host in the report's page."""
    return f"#host={address(host)}"


def rack_picture(groups: Sequence[HostGroup], link: HostLink = in_page) -> Markup:
    """The picture; racks that do not fit beside each other continue below. `link` gives the address of a host."""
    hosts = sum(len(group.hosts) for group in groups)
    shown = groups if hosts <= MOST_HOSTS else [_as_one(group) for group in groups]
    across = max(LEAST_ACROSS, min(MOST_ACROSS, WIDTH / max(len(shown), 1)))
    in_line = max(int(WIDTH / across), 1)
    lines = [shown[start : start + in_line] for start in range(0, len(shown), in_line)]
    top, parts = 0.0, list[Markup]()
    for line in lines:
        tallest = max(len(group.hosts) for group in line)
        down = max(LEAST_DOWN, min(MOST_DOWN, ALL_DOWN / len(lines) / tallest))
        parts += (
            _rack(group, number * across, top, across - GAP, down, link if hosts <= MOST_LINKS else None)
            for number, group in enumerate(line)
        )
        top += NAME + tallest * down + GAP
    counted = f"{format_count(hosts, 'host')} in {format_count(len(groups), 'group')}"
    title = f"{counted}, each in the colour of its gravest verdict"
    return element(
        "svg", element("title", title), *parts,
        class_="chart racks", viewBox=f"0 0 {WIDTH} {max(top, 1):.0f}", role="group" if hosts <= MOST_LINKS else "img",
        data_shows="hosts" if hosts <= MOST_HOSTS else "racks",
    )  # fmt: skip


def _as_one(group: HostGroup) -> HostGroup:
    """The rack as one tile in the colour of its gravest verdict."""
    gravest = min((one.verdict for one in group.hosts if one.verdict), key=rank, default="")
    return HostGroup(group.name, (HostPlace(group.name, gravest),))


def _rack(group: HostGroup, left: float, top: float, across: float, down: float, link: HostLink | None) -> Markup:
    name = element(
        "text", element("title", group.name), label(group.name, max(int(across / LETTER), 3)),
        x=f"{left:.1f}", y=f"{top + NAME / 2:.1f}", class_="rack-name",
    )  # fmt: skip
    return element("g", name, *_tiles(group, left, top + NAME, across, down, link))


def _tiles(
    group: HostGroup, left: float, top: float, across: float, down: float, link: HostLink | None
) -> Iterator[Markup]:
    for number, one in enumerate(group.hosts):
        said = (element("title", _said(one)),) if link else ()  # of many hosts the page's script tells
        tile = _tile(one, left, top + number * down, across, down, said)
        yield element("a", tile, href=link(one.host)) if link else tile


def _said(one: HostPlace) -> str:
    at = f" at {one.position}" if one.position else ""
    return f"{one.host}{at}: {one.verdict or 'no result'}"


def _tile(one: HostPlace, left: float, top: float, across: float, down: float, said: Sequence[Markup]) -> Markup:
    css = {"": "none", "passed": "ground"}.get(one.verdict, f"v-{style_of(one.verdict)}")
    height = max(down - (1 if down > 4 else 0.4), 1)
    place = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{across:.1f}", "height": f"{height:.1f}"}
    box = element("rect", *said, **place, rx=2 if down > 8 else 0, class_=f"{css} tile")
    if down < NAMED_FROM or across < 70:
        return box
    symbol = VERDICTS[style_of(one.verdict)].symbol if one.verdict else ""
    text = f"{symbol} {label(one.host, max(int((across - 12) / LETTER) - 2, 5))}"
    css = "on-ground" if one.verdict in ("", "passed") else "symbol"
    return box + element("text", text, x=f"{left + 6:.1f}", y=f"{top + height / 2:.1f}", class_=f"tile-name {css}")
