# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All pictures of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from rack_recipes.report.charts.heat_map import gathered, heat_map
from rack_recipes.report.charts.proportions import proportions
from rack_recipes.report.charts.step_times import bars
from rack_recipes.report.charts.timeline import timeline
from rack_recipes.report.page import host_places
from rack_recipes.report.page.host_places import HostGroup, HostPlace
from rack_recipes.report.page.rack_picture import rack_picture
from rack_recipes.report.page.timeline_from_tables import lanes
from rack_recipes.report.table_model import Table

GATHER_FROM = 400
"""With more hosts a row of the heat map would be less than a pixel of a screen: there a row is a rack."""


@dataclass(frozen=True, slots=True)
class Map:
    """A heat map: `head` has the names of the steps, `rows` says what a row is: `racks` or `rows`."""

    rows: str
    head: Markup
    body: Markup


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures; None where there is nothing to show."""

    proportions: Markup
    racks: Markup | None
    maps: tuple[Map, ...]
    timeline: Markup | None
    bars: Markup


def pictures(by_name: Mapping[str, Table], hosts: Sequence[HostPlace]) -> Pictures:
    """The pictures of the tables of a report."""
    groups = host_places.groups(hosts)
    matrix = host_places.by_place(by_name["matrix"], hosts)
    maps = [Map("rows", *heat_map(matrix))] if matrix.rows else []
    if len(hosts) > GATHER_FROM:
        maps.insert(0, Map("racks", *heat_map(_by_group(matrix, groups))))
    steps = _planned(by_name)
    return Pictures(
        proportions(by_name["counts"]),
        rack_picture(groups) if groups else None,
        tuple(maps),
        _timeline(by_name),
        bars(steps),
    )


def _timeline(by_name: Mapping[str, Table]) -> Markup | None:
    shown = lanes(by_name["verdicts"], by_name["steps"])
    return timeline(shown, "Stages and steps").svg if shown else None


def _by_group(matrix: Table, groups: Sequence[HostGroup]) -> Table:
    """The matrix with a row for each group of hosts; rows of no host are left out."""
    group_of = {one.host: group.name for group in groups for one in group.hosts}
    hosts = replace(matrix, rows=tuple(row for row in matrix.rows if row[0] in group_of))
    return gathered(hosts, group_of.__getitem__)


def _planned(by_name: Mapping[str, Table]) -> Table:
    """The table of steps without the instances of looped steps."""
    steps = by_name["steps"]
    names = {column.name for column in by_name["matrix"].columns[1:]}
    return replace(steps, rows=tuple(row for row in steps.rows if row[steps.place("step")] in names))
