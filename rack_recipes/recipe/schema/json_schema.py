# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema of recipes, and the validator for it: stricter than that of jsonschema, and faster.

jsonschema makes a new validator for each value inside of a value. These keep one for each part of the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator
type Errors = Iterator[ValidationError]
VALIDATORS: dict[int, Validator] = {}  # by the identity of a part of the one schema, which lives as long as they do


def errors_inside(validator: Validator, part: Mapping[str, object], value: Any, *path: str | int) -> Errors:
    """What is wrong with a value that is at `path` inside of another one."""
    known = VALIDATORS.get(id(part))
    if known is None or known.schema is not part:
        known = VALIDATORS[id(part)] = validator.evolve(schema=part)
    for error in known.iter_errors(value):
        error.path.extendleft(path)
        yield error


def properties(validator: Validator, parts: Mapping[str, Any], value: object, _schema: object) -> Errors:
    """`properties`: the value of each known key follows its part of the schema."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in parts:
                yield from errors_inside(validator, parts[key], item, key)


def additional_properties(validator: Validator, part: Any, value: object, schema: Mapping[str, Any]) -> Errors:
    """`additionalProperties`: other keys are refused, or their values follow a part of the schema."""
    known = schema.get("properties", {})
    if not isinstance(value, dict) or value.keys() <= known.keys():
        return
    if part is False:
        yield wrong("has other keys")
    else:
        for key in value.keys() - known.keys():
            yield from errors_inside(validator, part, value[key], key)


def items(validator: Validator, part: Mapping[str, object], value: object, _schema: object) -> Errors:
    """`items`: each item of a list follows a part of the schema."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from errors_inside(validator, part, item, index)


def if_then_else(
    validator: Validator, condition: Mapping[str, Any], value: object, schema: Mapping[str, Any]
) -> Errors:
    """`if` with required keys: a mapping that has them follows `then`, any other value `else`."""
    branch = "then" if isinstance(value, dict) and value.keys() >= {*condition.get("required", ())} else "else"
    if branch in schema:
        yield from errors_inside(validator, schema[branch], value)


def matches(_validator: Validator, pattern: str, value: object, _schema: object) -> Errors:
    """`pattern`: the whole text has to match. In Python `$` also matches before a last line break."""
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield wrong(f"does not match {pattern}")


def wrong(text: str) -> ValidationError:
    """An error of jsonschema."""
    from jsonschema import ValidationError

    return ValidationError(text)


KEYWORDS = {
    "properties": properties,
    "additionalProperties": additional_properties,
    "items": items,
    "if": if_then_else,
    "pattern": matches,
}


def validator_for(schema: Mapping[str, object]) -> Validator:
    """A validator for a schema, with these keywords."""
    from jsonschema.validators import Draft202012Validator, extend

    made: Any = extend(Draft202012Validator, KEYWORDS)  # type: ignore[no-untyped-call]
    checking: Validator = made(schema)
    return checking


SCHEMA = Path(__file__).with_name("recipe.schema.json")
INNER = ("items", "additionalProperties", "else", "then")


@cache
def schema() -> Mapping[str, Any]:
    """The schema with each `$ref` replaced by what it names, since jsonschema is slow to look one up."""
    loaded = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = loaded.pop("$defs")
    whole: Mapping[str, Any] = inlined(loaded, parts)
    return whole


def inlined(part: object, parts: Mapping[str, Any]) -> Any:
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
    return validator_for(schema())
