# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML files whose top may be a list, with the place of each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rack_recipes.errors import Place, RecipeErrors, UsageError
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.yaml.decode import decode
from rack_recipes.recipe.yaml.node_positions import NodePositions
from rack_recipes.recipe.yaml.reader import Builder


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The data of a file and the places of its values by their paths."""

    data: Any
    places: Mapping[Path, Place]

    def where(self, *path: str | int) -> str:
        """The place of a value as text."""
        return str(self.places[path])


def read_yaml(text: str, name: str) -> YamlFile:
    """Read a file. Raises UsageError with all that is wrong with it as YAML."""
    try:
        builder = Builder(decode(text.encode(), name))
        builder.build()
    except RecipeErrors as error:
        raise UsageError(str(error)) from error
    if builder.errors:
        raise UsageError(str(RecipeErrors(builder.errors)))
    data = builder.top.data[0] if builder.top.data else None
    return YamlFile(data, NodePositions(name, builder.spots))
