# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What jsonschema objects to, in the words of the schema's own `errorMessage` and in ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place, RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Path
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.schema.json_schema import mappings, schema
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.schema.suggestions import (
    ANSIBLE_KEYWORDS,
    flow,
    meant,
    other_word,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import closest, listed, quoted, shown
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import Document

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

MANY = 4  # mappings with the same key
TOP = "the recipe itself"
REMARKS = {
    **dict.fromkeys(ANSIBLE_KEYWORDS, ", a keyword of Ansible's, not of recipes"),
    "warn": ", which belongs in the values of success",
}
GUESSED = 100  # unknown keys that are compared with a missing one
NO_BREAK_SPACE = "\u00a0"
JAMMED_COLON = re.compile(r"[A-Za-z_]\w*:\S")


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """A value that its schema does not accept."""

    document: Document
    validator: Validator
    path: Path
    value: Any
    schema: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return self.document.places[self.path]

    def unknown(self) -> Iterator[str]:
        """Keys of a mapping that its schema does not have."""
        return (key for key in self.value if key not in self.schema["properties"])

    def accepts(self, value: Any) -> bool:
        """Whether the schema would take `value` in this place."""
        return self.validator.evolve(schema=self.schema).is_valid(value)

    def is_step(self) -> bool:
        """Whether this is a step, or an include."""
        return len(self.path) == 2 and self.path[0] == "steps"

    def owner(self) -> str:
        """The mapping at this path, as its user would call it."""
        match self.path:
            case ():
                return "a recipe"
            case ("steps", int() as index):
                return named(self.value, index)
            case ("params" | "locks" as kind, str() as name):
                return f"{kind.removesuffix('s')} {quoted(name)}".replace("param ", "parameter ")
            case _:
                return str(self.schema.get("title", self.path[-1]))


def fault_errors(error: ValidationError, document: Document, validator: Validator) -> Iterator[RecipeError]:
    """One of jsonschema's errors as one or several of ours."""
    violated: Any = error.schema
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance), KEY)
    fault = SchemaFault(document, validator, path, error.instance, violated)
    yield from FAULTS.get(str(error.validator), unfit)(fault)


def named(step: Mapping[str, Any], index: int) -> str:
    """A step or an include by its name, or by its place in the file where it has none."""
    kind, name = "include" if "include" in step else "step", step.get("name")
    return f"{kind} {quoted(name)}" if isinstance(name, str) and name else f"{kind} {index + 1} of the file"


def unfit(fault: SchemaFault) -> Iterator[RecipeError]:
    """A value of the wrong type, size or form."""
    near = meant(fault.value, fault.schema, fault.accepts)
    got = shown(fault.value)
    if isinstance(fault.value, str) and JAMMED_COLON.match(fault.value) and fault.schema.get("type") == "object":
        yield RecipeError(fault.place, "a space after the colon", got)
    elif isinstance(fault.value, str) and near is not None and flow(near) == fault.value:
        yield RecipeError(fault.place, expected(fault.schema), f"{got}: leave out the quotes")
    elif isinstance(fault.value, (bool, int, float)) and fault.accepts(json.dumps(fault.value)):
        yield RecipeError(fault.place, expected(fault.schema), f"{got}: write it in quotes")
    else:
        yield RecipeError(fault.place, expected(fault.schema), got, flow(near))


def expected(schema: Mapping[str, Any]) -> str:
    """What a value must be."""
    words = schema.get("enum")
    return listed_or(words) if words else str(schema["errorMessage"])


def unknown_keys(fault: SchemaFault) -> Iterator[RecipeError]:
    """Keys that a mapping does not have."""
    valid = tuple(fault.schema["properties"])
    for key in fault.unknown():
        near, remark = guess(key, fault)
        more = "" if near or remark else f" ({', '.join(valid)})"
        place = fault.document.places[*fault.path, key, KEY]
        yield RecipeError(place, f"a key of {fault.owner()}{more}", quoted(key) + remark, near)


def guess(key: str, fault: SchemaFault) -> tuple[str, str]:
    """The key that was probably meant, or a remark on the key that is there."""
    valid = (*fault.schema["properties"], *(("include",) if fault.is_step() else ()))
    if NO_BREAK_SPACE in key:
        return "", ", which holds a no-break space: type that space anew"
    if synonym := other_word(key, [known for known in valid if known not in fault.value]):
        return synonym, ""
    if remark := REMARKS.get(key):
        return "", remark
    near, home = closest(key, valid), homes().get(key)
    if home and not (near and near.startswith(key)):
        return "", f", which belongs in {home}"
    return near, ""


def missing_keys(fault: SchemaFault) -> Iterator[RecipeError]:
    """Keys that a mapping must have; one that is there under a wrong name is an unknown key and no more."""
    misspelt = {guess(key, fault)[0] for key in islice(fault.unknown(), GUESSED)}
    missing = [key for key in fault.schema["required"] if key not in fault.value and key not in misspelt]
    if missing and "include" not in misspelt:
        got = f"only {listed(fault.value)}" if fault.value else "an empty mapping"
        yield RecipeError(fault.place, f"{' and '.join(map(repr, missing))} in {fault.owner()}", got)


def too_few(fault: SchemaFault) -> Iterator[RecipeError]:
    """A recipe without steps, or another list without items."""
    if fault.path == ("steps",):
        yield RecipeError(fault.place, "at least one step", f"{shown(fault.value)}, a recipe that checks nothing")
    else:
        yield from unfit(fault)


@cache
def homes() -> Mapping[str, str]:
    """In which mappings each key belongs; of one that many have there is nothing to tell."""
    found: dict[str, dict[str, None]] = {}
    for name, part in mappings({**schema(), "title": TOP}, TOP):
        for key in part["properties"]:
            found.setdefault(key, {})[part.get("title", name)] = None
    return {key: listed_or(list(known)) for key, known in found.items() if len(known) <= MANY}


def listed_or(words: list[str]) -> str:
    """Words between commas, with an "or" before the last one."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


FAULTS: dict[str, Callable[[SchemaFault], Iterator[RecipeError]]] = {
    "additionalProperties": unknown_keys,
    "required": missing_keys,
    "minItems": too_few,
}
