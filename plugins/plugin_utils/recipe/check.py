# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data -> all that is wrong with it as a recipe.

The schema beside this file says what a recipe may hold; rules for what no schema can say follow it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError, RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.reader import MOST, Document
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules import rule_errors

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SCHEMA = Path(__file__).with_name("recipe.schema.json")


def check(document: Document) -> None:
    """Raise RecipeErrors with what is wrong with a recipe, the first hundred problems where there are more."""
    found = {(error.place, error.expected): error for error in islice(problems(document), MOST)}
    if found:
        raise RecipeErrors(list(found.values()))


def problems(document: Document) -> Iterator[RecipeError]:
    """Everything that is wrong with a recipe, one by one."""
    for error in validator().iter_errors(document.data):
        from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.faults import fault_errors  # only now: slow

        yield from fault_errors(error, document, validator())
    yield from rule_errors(document)


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema of a recipe."""
    loaded: Mapping[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


@cache
def validator() -> Validator:
    """The schema, ready to be used. Only what reads recipes pays for the import: it takes as long as Python's start."""
    from jsonschema.validators import Draft202012Validator, extend

    anchored: Any = extend(Draft202012Validator, {"pattern": matches})  # type: ignore[no-untyped-call]
    made: Validator = anchored(schema())
    return made


def matches(
    _validator: Validator, pattern: str, instance: object, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """The keyword `pattern` as JSON Schema means it: in Python `$` also stands before a last line break."""
    from jsonschema import ValidationError

    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield ValidationError(f"does not match {pattern}")
