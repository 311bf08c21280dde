# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists and mappings whose end the reader has not reached yet, and the values with an anchor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rack_recipes.recipe.yaml.node_positions import Spot, Spots


@dataclass(frozen=True, slots=True)
class Anchor:
    """A value that aliases may repeat. `nodes` counts the values inside of it, `height` their levels."""

    value: Any
    spot: Spot
    nodes: int
    height: int


@dataclass(slots=True)
class OpenList:
    """A list that is being read. `nodes` counts the values of the file before it, `height` the levels inside of it."""

    spot: Spot
    anchor: str | None
    nodes: int
    data: list[Any]
    height: int = 1


@dataclass(slots=True)
class OpenMap:
    """A mapping that is being read. `key` is the key whose value comes next; `merged` has the mappings of `<<`."""

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


def add_merged_keys(part: OpenMap, spots: Spots) -> None:
    """Add the keys of merged mappings to a mapping. Its own keys and earlier mappings come first."""
    own = spots.values(part.spot)
    for data, spot in part.merged:
        theirs = spots.values(spot)
        for key in [key for key in data if key not in part.data]:  # in their order, as the playbook has them
            part.data[key] = data[key]
            own[key] = theirs[key]
    spots.insides[part.spot] = own
