# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists and mappings of a file while they are read, and the values that it gives a name to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import Spot, Spots


@dataclass(frozen=True, slots=True)
class Anchor:
    """A value that aliases may repeat: how many values it holds, and how many levels of them."""

    value: Any
    spot: Spot
    nodes: int
    height: int


@dataclass(slots=True)
class OpenList:
    """A list whose end is still to come. `nodes` counts the values before it, `height` the levels inside."""

    spot: Spot
    anchor: str | None
    nodes: int
    data: list[Any]
    height: int = 1


@dataclass(slots=True)
class OpenMap:
    """A mapping whose end is still to come, and the key whose value is next."""

    spot: Spot
    anchor: str | None
    nodes: int
    data: dict[str, Any]
    flow: bool
    key: str | None = None
    height: int = 1
    merged: list[tuple[dict[str, Any], Spot]] = field(default_factory=list)


type Open = OpenList | OpenMap


def awaits_key(part: Open) -> bool:
    """Whether the next value is a key."""
    return isinstance(part, OpenMap) and part.key is None


def take_over(part: OpenMap, spots: Spots) -> None:
    """Give a mapping the keys it merges in and does not have; of two mappings the first one counts."""
    own = spots.values(part.spot)
    for data, spot in part.merged:
        theirs = spots.values(spot)
        for key in data.keys() - part.data.keys():
            part.data[key] = data[key]
            own[key] = theirs[key]
    spots.insides[part.spot] = own
