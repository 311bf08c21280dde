# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema of recipes, and the validator for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMA = Path(__file__).with_name("recipe.schema.json")
INNER = ("items", "additionalProperties", "else", "then")


@cache
def schema() -> Mapping[str, Any]:
    """The schema with each `$ref` replaced by what it names, since jsonschema is slow to look one up."""
    loaded = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = loaded.pop("$defs")
    whole: Mapping[str, Any] = inlined(loaded, parts)
    return whole


def inlined(part: Any, parts: Mapping[str, Any]) -> Any:
    """A part of the schema without `$ref`. Keywords beside a `$ref` replace those of what it names."""
    match part:
        case {"$ref": str() as name, **beside}:
            return inlined({**parts[name.rpartition("/")[2]], **beside}, parts)
        case dict():
            return {key: inlined(inner, parts) for key, inner in part.items()}
        case list():
            return [inlined(inner, parts) for inner in part]
        case _:
            return part


@cache
def list_fields() -> tuple[str, ...]:
    """The fields of a step that hold a list of names, or of parts with names; empty where the step does not have it."""
    step = schema()["properties"]["steps"]["items"]["else"]
    return tuple(name for name, part in step["properties"].items() if part.get("default") == [])


def mappings(part: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping that a part of the schema describes, after the name of its field. Outer mappings come first."""
    if "properties" in part:
        yield name, part
    for key, inner in part.get("properties", {}).items():
        yield from mappings(inner, key)
    for word in INNER:
        if isinstance(part.get(word), Mapping):
            yield from mappings(part[word], name)


@cache
def validator() -> Validator:
    """The validator for recipes. jsonschema is imported only here: that takes as long as starting Python."""
    from rack_recipes.recipe.schema.fast_jsonschema_keywords import validator_for

    return validator_for(schema())
