# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validators for keywords of JSON Schema: stricter than those of jsonschema, and fast for thousands of steps.

jsonschema makes a new validator for each value inside of a value. These keep one for each part of the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

type Errors = Iterator[ValidationError]

VALIDATORS: dict[int, Validator] = {}  # by the identity of a part of the one schema, which lives as long as they do


def errors_inside(validator: Validator, part: Mapping[str, Any], value: Any, *path: str | int) -> Errors:
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


def items(validator: Validator, part: Mapping[str, Any], value: object, _schema: object) -> Errors:
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


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """A validator for a schema, with these keywords."""
    from jsonschema.validators import Draft202012Validator, extend

    made: Any = extend(Draft202012Validator, KEYWORDS)  # type: ignore[no-untyped-call]
    checking: Validator = made(schema)
    return checking
