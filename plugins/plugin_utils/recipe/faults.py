# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What jsonschema objects to, in the words of the schema's own `errorMessage` and in ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place, RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.guesses import KEYWORDS, flow, meant, other_word
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Path
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.places import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.reader import Document
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.words import closest, listed, quoted, shown

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

GUESSED = 100  # unknown keys that are compared with a missing one
NO_BREAK_SPACE = "\u00a0"
JAMMED_COLON = re.compile(r"[A-Za-z_]\w*:\S")


@dataclass(frozen=True, slots=True)
class Fault:
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

    def owner(self) -> str:
        """The mapping at this path, as its user would call it."""
        match self.path:
            case ():
                return "a recipe"
            case ("steps", int() as index):
                return named(self.value, index)
            case _:
                return str(self.path[-1])


def fault_errors(error: ValidationError, document: Document, validator: Validator) -> Iterator[RecipeError]:
    """One of jsonschema's errors as one or several of ours."""
    schema: Any = error.schema
    fault = Fault(document, validator, tuple(error.absolute_path), error.instance, schema)
    yield from FAULTS.get(str(error.validator), unfit)(fault)


def named(step: Mapping[str, Any], index: int) -> str:
    """A step by its name, or by its place in the file where it has none."""
    name = step.get("name")
    return f"step {quoted(name)}" if isinstance(name, str) and name else f"step {index + 1} of the file"


def unfit(fault: Fault) -> Iterator[RecipeError]:
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
    return f"{', '.join(words[:-1])} or {words[-1]}" if words else str(schema["errorMessage"])


def unknown_keys(fault: Fault) -> Iterator[RecipeError]:
    """Keys that a mapping does not have."""
    valid = tuple(fault.schema["properties"])
    for key in fault.unknown():
        near, remark = guess(key, fault)
        more = "" if near or remark else f" ({', '.join(valid)})"
        place = fault.document.places[*fault.path, key, KEY]
        yield RecipeError(place, f"a key of {fault.owner()}{more}", quoted(key) + remark, near)


def guess(key: str, fault: Fault) -> tuple[str, str]:
    """The key that was probably meant, or a remark on the key that is there."""
    valid = tuple(fault.schema["properties"])
    if NO_BREAK_SPACE in key:
        return "", ", which holds a no-break space: type that space anew"
    if key in KEYWORDS:
        return "", ", a keyword of Ansible's, not of recipes"
    if synonym := other_word(key, [known for known in valid if known not in fault.value]):
        return synonym, ""
    if home := homes(fault.validator.schema).get(key):
        return "", f", which belongs in {home}"
    return closest(key, valid), ""


def missing_keys(fault: Fault) -> Iterator[RecipeError]:
    """Keys that a mapping must have; one that is there under a wrong name is an unknown key and no more."""
    misspelt = {guess(key, fault)[0] for key in islice(fault.unknown(), GUESSED)}
    missing = [key for key in fault.schema["required"] if key not in fault.value and key not in misspelt]
    if missing:
        got = f"only {listed(fault.value)}" if fault.value else "an empty mapping"
        yield RecipeError(fault.place, f"{' and '.join(map(repr, missing))} in {fault.owner()}", got)


def too_few(fault: Fault) -> Iterator[RecipeError]:
    """A recipe without steps."""
    yield RecipeError(fault.place, "at least one step", f"{shown(fault.value)}, a recipe that checks nothing")


def homes(schema: Any) -> dict[str, str]:
    """In which mapping each key belongs that is no key of the recipe itself."""
    found: dict[str, str] = {}
    for name, inner in schema.get("properties", {}).items():
        properties = inner.get("items", inner).get("properties", {})
        home = "a step" if "items" in inner else name
        found = {**found, **homes(inner.get("items", inner)), **dict.fromkeys(properties, home)}
    return found


FAULTS: dict[str, Callable[[Fault], Iterator[RecipeError]]] = {
    "additionalProperties": unknown_keys,
    "required": missing_keys,
    "minItems": too_few,
}
