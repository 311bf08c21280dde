# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace references such as `${params.x}` by values that are known when a recipe is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import DEEPEST
from ansible_collections.rack.recipes.plugins.module_utils.language import references
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.values_in_messages import quoted, shown
from rack_recipes.recipe.yaml.reader import MAX_REPEATED

REFERENCE = re.compile(references.REFERENCE)
PARAMETER = "${params."
BARE_REFERENCE = re.compile(  # what is inside of the braces of a reference
    r"(?:params|matrix|item|step)\.[\w.-]+|item|index|[a-z][a-z0-9_.]*_v[0-9]+(?:\.[\w.-]+)?(?:@[\w.:-]+)?"
)
CHARACTERS = 100  # characters of a text count as one more value


class SubstitutionError(ValueError):
    """A reference that cannot be replaced: its path, what was expected, and what was found."""

    def __init__(self, path: Path, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.path = path
        self.expected = expected
        self.got = got


@dataclass(slots=True)
class Budget:
    """How many values references may still be replaced by. A few lines could ask for more than memory holds."""

    left: int = MAX_REPEATED

    def spend(self, value: object, path: Path) -> None:
        """Count the values inside of a value. Raises SubstitutionError where there are too many, or too many levels."""
        level = [value]
        depth = len(path)
        while level:
            self.left -= sum(1 + (len(item) // CHARACTERS if isinstance(item, str) else 0) for item in level)
            depth += 1
            if self.left < 0:
                raise SubstitutionError(path, f"parameters that put in at most {MAX_REPEATED} values in all", "more")
            if depth > DEEPEST:
                raise SubstitutionError(
                    path, f"at most {DEEPEST} levels of lists and mappings inside each other", "more"
                )
            level = [inner for item in level for inner in values_inside(item)]


@dataclass(frozen=True, slots=True)
class Substitution:
    """Values of parameters by name, which replace references to them. They may hold references themselves."""

    values: Mapping[str, Any]
    budget: Budget = field(default_factory=Budget)

    def fill(self, value: object, path: Path = ()) -> Any:
        """Replace the references to these parameters in a value. Raises SubstitutionError.

        A text that is only a reference becomes the value of the parameter. In a longer text that value becomes text.
        """
        if isinstance(value, str):
            return self._text(value, path) if PARAMETER in value else value
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def _text(self, text: str, path: Path) -> Any:
        whole = REFERENCE.fullmatch(text)
        if whole:
            return self._value(whole, path)
        return REFERENCE.sub(lambda found: as_text(self._value(found, path)), text)

    def _value(self, found: re.Match[str], path: Path) -> Any:
        if found[2]:
            return f"${{{found[1]}@{as_text(self._text(found[2], path))}}}"
        word, parts, _host = references.parse_reference(found) or ("", [], "")
        if word != "params" or parts[0] not in self.values:
            return found[0]
        value = value_at(self.values[parts[0]], parts[1:], found[0], path)
        self.budget.spend(value, path)
        return value


def value_at(value: Any, parts: list[str], reference: str, path: Path) -> Any:
    """The value at a path inside of a value. Raises SubstitutionError.

    Where the path comes to a text that is a reference, the rest of the path is added to that reference.
    """
    for number, part in enumerate(parts):
        whole = REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if whole:
            word, at, host = whole[0][2:-1].partition("@")
            return f"${{{'.'.join([word, *parts[number:]])}{at}{host}}}"
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            expected = f"{quoted(part)} in the value of the parameter"
            raise SubstitutionError(path, expected, f"{shown(value)} for {quoted(reference)}") from None
    return value


def values_inside(value: object) -> list[Any]:
    """The items of a list, or the values of a mapping."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """A value as it is written inside of a longer text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
