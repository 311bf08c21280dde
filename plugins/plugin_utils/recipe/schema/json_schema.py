# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema of a recipe, and jsonschema's validator for it."""

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
    """The schema, each `$ref` replaced by what it names: jsonschema takes longer to look one up than to use it."""
    loaded = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = loaded.pop("$defs")
    whole: Mapping[str, Any] = inlined(loaded, parts)
    return whole


def inlined(part: Any, parts: Mapping[str, Any]) -> Any:
    """A part of the schema without references; what stands beside one counts more than what it names."""
    match part:
        case {"$ref": str() as name, **beside}:
            return inlined({**parts[name.rpartition("/")[2]], **beside}, parts)
        case dict():
            return {key: inlined(inner, parts) for key, inner in part.items()}
        case list():
            return [inlined(inner, parts) for inner in part]
        case _:
            return part


def mappings(part: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping that a part of the schema describes, with the name of the field that holds it; outer ones first."""
    if "properties" in part:
        yield name, part
    for key, inner in part.get("properties", {}).items():
        yield from mappings(inner, key)
    for word in INNER:
        if isinstance(part.get(word), Mapping):
            yield from mappings(part[word], name)


@cache
def validator() -> Validator:
    """The schema, ready to be used. Only what reads recipes pays for the import: it takes as long as Python's start."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.schema.keyword_validators import drafted

    return drafted(schema())
