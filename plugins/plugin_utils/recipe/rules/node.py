# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mapping inside a recipe file, as the rules look at it: unchecked, some of it broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place, RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Path
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import Document

type Named = tuple[Path, str]  # where a name stands in its part, and the name


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping at a path of a document."""

    document: Document
    path: Path
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name, empty where it has none."""
        return text(self.data.get("name"))

    @property
    def is_include(self) -> bool:
        """Whether it is a step that includes another recipe."""
        return "include" in self.data

    def texts(self, key: str) -> list[tuple[int, str]]:
        """The texts in one of its lists, each with its index."""
        values = self.data.get(key)
        return [(n, value) for n, value in enumerate(values) if text(value)] if isinstance(values, list) else []

    def needs(self) -> list[Named]:
        """The names of the steps that a step depends on."""
        values = self.data.get("depends_on")
        found: list[Named] = []
        for n, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str):
                found.append((("depends_on", n), value))
            elif isinstance(value, dict) and text(value.get("step")):
                found.append((("depends_on", n, "step"), value["step"]))
        return found

    def parts(self, *path: str) -> Iterator[Node]:
        """The mapping at a path inside of this one, or each mapping of the list there."""
        value: Any = self.data
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        where = (*self.path, *path)
        if isinstance(value, dict):
            yield Node(self.document, where, value)
        for n, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, dict):
                yield Node(self.document, (*where, n), item)

    def place(self, *path: str | int) -> Place:
        """Where something of it stands."""
        return self.document.places[*self.path, *path]

    def error(self, path: Path, expected: str, got: str, near: str = "") -> RecipeError:
        """What is wrong with something of it."""
        return RecipeError(self.place(*path), expected, got, near)


def text(value: object) -> str:
    """A value that is text, otherwise an empty one."""
    return value if isinstance(value, str) else ""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
