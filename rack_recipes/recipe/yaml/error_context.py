# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A problem of the YAML parser, and the lines around it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from yaml.error import Mark

from rack_recipes.errors import Place, RecipeError
from rack_recipes.recipe.yaml.decode import RecipeSource
from rack_recipes.recipe.yaml.values_in_messages import quoted

BLANK = re.compile(r"\s*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What the reader knows when the parser fails.

    `columns` are those of the lists and mappings that are not ended, `quote_line` is the line of the last quoted text.
    """

    source: RecipeSource
    columns: Collection[int]
    quote_line: int


@dataclass(frozen=True, slots=True)
class ParserProblem:
    """A problem of the parser: its place `at`, and the place where the list, mapping or word around it begins."""

    around: ErrorContext
    lines: list[str]
    message: str
    context: str
    at: Place
    begin: Place

    def place(self, line: int, column: int) -> Place:
        """A place in the same file."""
        return Place(self.at.file, line, column)

    def line(self, number: int) -> str:
        """A line by its number; empty after the end of the file."""
        return self.lines[number - 1] if number <= len(self.lines) else ""

    def rest(self, place: Place) -> str:
        """The text at a place, up to the end of the line."""
        return self.line(place.line)[place.column - 1 :].strip()

    def before(self) -> str:
        """The text before the problem, on its line."""
        return self.line(self.at.line)[: self.at.column - 1]

    def above(self) -> int:
        """The number of the nearest line above the problem that has more than a comment."""
        return next((number for number in range(self.at.line - 1, 0, -1) if not BLANK.match(self.line(number))), 1)

    def ending(self) -> str:
        """The line of the problem in words."""
        line = self.line(self.at.line).strip()
        return f"{quoted(line)} in line {self.at.line}" if self.rest(self.at) else "the end of the file"

    def error(self, place: Place, expected: str, got: str = "") -> RecipeError:
        """An error about the text at a place."""
        return RecipeError(place, expected, got or self.found(place))

    def found(self, place: Place) -> str:
        """The text at a place in words."""
        rest = self.rest(place)
        if rest:
            return quoted(rest)
        last = len("\n".join(self.lines).rstrip().split("\n"))
        return "the end of the file" if place.line >= last else "the end of the line"


def place_of(mark: Mark | None, name: str) -> Place:
    """The place of a mark of the parser, which counts from 0."""
    return Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
