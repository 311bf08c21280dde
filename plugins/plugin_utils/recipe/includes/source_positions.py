# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything in a recipe stands that includes others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Path
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import NodePositions

INCLUDED = "included"


@dataclass(frozen=True, slots=True)
class AllPositions(Mapping[Path, Place]):
    """The places of a file, and those of included steps under `("included", NAME, ...)`.

    `steps` has for each of these the places of its file and its number in it.
    """

    own: NodePositions
    steps: Mapping[str, tuple[NodePositions, int]]

    def __getitem__(self, path: Path) -> Place:
        match path:
            case ("included", str() as name, *rest) if name in self.steps:
                places, index = self.steps[name]
                return places["steps", index, *rest]
        return self.own[path]

    def __iter__(self) -> Iterator[Path]:
        yield from self.own
        for name, (places, index) in self.steps.items():
            yield from places.paths(places.spot(("steps", index)), (INCLUDED, name))

    def __len__(self) -> int:
        return sum(1 for _path in self)
