# SPDX-License-Identifier: GPL-3.0-or-later

"""A mapping inside of a recipe file, as the rules see it. It is unchecked: some of it may be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from rack_recipes.errors import Place, RecipeError
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.yaml.reader import Document

type Named = tuple[Path, str]  # the path of a name inside of its mapping, and the name

# Where a step may have conditions, and the fields of a step in which references are replaced by values.
CONDITION_PATHS = (("when",), ("retry", "until"), ("repeat", "until"), ("success", "values"))
CONDITION_FIELDS = frozenset(path[0] for path in CONDITION_PATHS)
REFERENCE_FIELDS = ("args", "loop", "matrix", *(path[0] for path in CONDITION_PATHS))


@dataclass(frozen=True, slots=True)
class Node:
    """The mapping at a path of a document."""

    document: Document
    path: Path
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name; empty where it has none."""
        return text(self.data.get("name"))

    @property
    def is_include(self) -> bool:
        """Whether it is a step that includes another recipe."""
        return "include" in self.data

    def texts(self, key: str) -> list[tuple[int, str]]:
        """The texts in the list of one of its fields, each with its index."""
        values = self.data.get(key)
        return [(n, value) for n, value in enumerate(values) if text(value)] if isinstance(values, list) else []

    def dependency_names(self) -> list[Named]:
        """The names in `depends_on` of a step."""
        values = self.data.get("depends_on")
        found: list[Named] = []
        for n, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str):
                found.append((("depends_on", n), value))
            elif isinstance(value, dict) and text(value.get("step")):
                found.append((("depends_on", n, "step"), value["step"]))
        return found

    def children(self, *path: str) -> Iterator[Node]:
        """The mapping at a path inside of this one, or each mapping of the list that is there."""
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
        """The place of its value at a path."""
        return self.document.places[*self.path, *path]

    def error(self, path: Path, expected: str, got: str, near: str = "") -> RecipeError:
        """An error about its value at a path."""
        return RecipeError(self.place(*path), expected, got, near)


def text(value: object) -> str:
    """The value if it is text, otherwise an empty text."""
    return value if isinstance(value, str) else ""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number. True and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
