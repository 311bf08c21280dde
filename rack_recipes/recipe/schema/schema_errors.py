# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the errors of jsonschema into recipe errors, with the `errorMessage` of the schema and suggestions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import Place, RecipeError
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.schema.json_schema import mappings, schema
from rack_recipes.recipe.schema.suggestions import ANSIBLE_KEYWORDS, as_flow_yaml, key_for_synonym, suggested_value
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.recipe.yaml.values_in_messages import closest, listed, quoted, shown

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

MAX_OWNERS = 4  # a key of more mappings is not said to belong in any of them
TOP = "the recipe itself"
REMARKS = {
    **dict.fromkeys(ANSIBLE_KEYWORDS, ", a keyword of Ansible's, not of recipes"),
    "warn": ", which belongs in the values of success",
}
MAX_GUESSES = 100  # unknown keys that are compared with a missing one
NO_BREAK_SPACE = "\u00a0"
JAMMED_COLON = re.compile(r"[A-Za-z_]\w*:\S")


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """A value that its schema does not accept."""

    document: Document
    validator: Validator
    path: Path
    value: Any
    schema: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """The place of the value."""
        return self.document.places[self.path]

    def unknown(self) -> Iterator[str]:
        """The keys of the mapping that its schema does not have."""
        return (key for key in self.value if key not in self.schema["properties"])

    def accepts(self, value: Any) -> bool:
        """Whether the schema accepts `value` in this place."""
        return self.validator.evolve(schema=self.schema).is_valid(value)

    def is_step(self) -> bool:
        """Whether this is a step, or an include."""
        return len(self.path) == 2 and self.path[0] == "steps"

    def owner(self) -> str:
        """The mapping at this path, in words for users."""
        match self.path:
            case ():
                return "a recipe"
            case ("steps", int() as index):
                return step_in_words(self.value, index)
            case ("params" | "locks" as kind, str() as name):
                return f"{kind.removesuffix('s')} {quoted(name)}".replace("param ", "parameter ")
            case _:
                return str(self.schema.get("title", self.path[-1]))


def recipe_errors(error: ValidationError, document: Document, validator: Validator) -> Iterator[RecipeError]:
    """One error of jsonschema as one or several recipe errors."""
    violated: Any = error.schema
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance), KEY)
    invalid = InvalidValue(document, validator, path, error.instance, violated)
    yield from EXPLANATIONS.get(str(error.validator), wrong_value)(invalid)


def step_in_words(step: Mapping[str, Any], index: int) -> str:
    """A step or an include in words: by its name, or by its number in the file where it has none."""
    kind, name = "include" if "include" in step else "step", step.get("name")
    return f"{kind} {quoted(name)}" if isinstance(name, str) and name else f"{kind} {index + 1} of the file"


def wrong_value(invalid: InvalidValue) -> Iterator[RecipeError]:
    """A value of the wrong type, size or form."""
    near = suggested_value(invalid.value, invalid.schema, invalid.accepts)
    got = shown(invalid.value)
    if isinstance(invalid.value, str) and JAMMED_COLON.match(invalid.value) and invalid.schema.get("type") == "object":
        yield RecipeError(invalid.place, "a space after the colon", got)
    elif isinstance(invalid.value, str) and near is not None and as_flow_yaml(near) == invalid.value:
        yield RecipeError(invalid.place, expected(invalid.schema), f"{got}: leave out the quotes")
    elif isinstance(invalid.value, (bool, int, float)) and invalid.accepts(json.dumps(invalid.value)):
        yield RecipeError(invalid.place, expected(invalid.schema), f"{got}: write it in quotes")
    else:
        yield RecipeError(invalid.place, expected(invalid.schema), got, as_flow_yaml(near))


def expected(schema: Mapping[str, Any]) -> str:
    """What the schema expects, in words."""
    words = schema.get("enum")
    return listed_or(words) if words else str(schema["errorMessage"])


def unknown_keys(invalid: InvalidValue) -> Iterator[RecipeError]:
    """Keys that a mapping does not have."""
    valid = tuple(invalid.schema["properties"])
    for key in invalid.unknown():
        near, remark = suggest_key(key, invalid)
        more = "" if near or remark else f" ({', '.join(valid)})"
        place = invalid.document.places[*invalid.path, key, KEY]
        yield RecipeError(place, f"a key of {invalid.owner()}{more}", quoted(key) + remark, near)


def suggest_key(key: str, invalid: InvalidValue) -> tuple[str, str]:
    """The key that was probably suggested_value, or a remark on the key that was found."""
    valid = (*invalid.schema["properties"], *(("include",) if invalid.is_step() else ()))
    if NO_BREAK_SPACE in key:
        return "", ", which holds a no-break space: type that space anew"
    if synonym := key_for_synonym(key, [known for known in valid if known not in invalid.value]):
        return synonym, ""
    if remark := REMARKS.get(key):
        return "", remark
    near, owner = closest(key, valid), owners_of_keys().get(key)
    if owner and not (near and near.startswith(key)):
        return "", f", which belongs in {owner}"
    return near, ""


def missing_keys(invalid: InvalidValue) -> Iterator[RecipeError]:
    """Keys that are required. One that was probably misspelt is reported as an unknown key only."""
    misspelt = {suggest_key(key, invalid)[0] for key in islice(invalid.unknown(), MAX_GUESSES)}
    missing = [key for key in invalid.schema["required"] if key not in invalid.value and key not in misspelt]
    if missing and "include" not in misspelt:
        got = f"only {listed(invalid.value)}" if invalid.value else "an empty mapping"
        yield RecipeError(invalid.place, f"{' and '.join(map(repr, missing))} in {invalid.owner()}", got)


def too_few(invalid: InvalidValue) -> Iterator[RecipeError]:
    """A list without items, such as the steps of a recipe."""
    if invalid.path == ("steps",):
        yield RecipeError(invalid.place, "at least one step", f"{shown(invalid.value)}, a recipe that checks nothing")
    else:
        yield from wrong_value(invalid)


@cache
def owners_of_keys() -> Mapping[str, str]:
    """The mappings that have each key, in words. Keys that many mappings have are left out."""
    found: dict[str, dict[str, None]] = {}
    for name, part in mappings({**schema(), "title": TOP}, TOP):
        for key in part["properties"]:
            found.setdefault(key, {})[part.get("title", name)] = None
    return {key: listed_or(list(known)) for key, known in found.items() if len(known) <= MAX_OWNERS}


def listed_or(words: list[str]) -> str:
    """Words with commas between them, and "or" before the last one."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


EXPLANATIONS: dict[str, Callable[[InvalidValue], Iterator[RecipeError]]] = {
    "additionalProperties": unknown_keys,
    "required": missing_keys,
    "minItems": too_few,
}
