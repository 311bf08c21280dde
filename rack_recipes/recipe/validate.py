# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the plain data of a recipe: by the JSON Schema, and by rules for what no schema can say.

A rule gets the data as it is in the file, even where other parts of it are wrong. It looks only at what it understands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from rack_recipes.errors import RecipeError, RecipeErrors
from rack_recipes.recipe.rules.conditions import condition_errors
from rack_recipes.recipe.rules.param_declarations import known_before_the_run, param_errors
from rack_recipes.recipe.rules.references import step_references
from rack_recipes.recipe.rules.step_fields import RULES_BY_FIELD
from rack_recipes.recipe.rules.step_names import STEP_LIST_RULES
from rack_recipes.recipe.rules.top_level import top_errors, top_level_only
from rack_recipes.recipe.rules.unchecked_mapping import CONDITION_FIELDS, Node
from rack_recipes.recipe.schema.json_schema import validator
from rack_recipes.recipe.yaml.reader import MAX_ERRORS, Document


def check_top(document: Document) -> None:
    """Check a recipe that is run itself. Raises RecipeErrors with the first hundred problems."""
    raise_first(chain(problems(document), known_before_the_run(document)))


def check_included(document: Document) -> None:
    """Check a recipe that another one includes. Raises RecipeErrors with the first hundred problems."""
    raise_first(chain(problems(document), top_level_only(document)))


def raise_first(errors: Iterable[RecipeError]) -> None:
    """Raise RecipeErrors with the first hundred errors, if there are any. Each place and expectation is named once."""
    found = {(error.place, error.expected): error for error in islice(errors, MAX_ERRORS)}
    if found:
        raise RecipeErrors(list(found.values()))


def problems(document: Document) -> Iterator[RecipeError]:
    """Everything that is wrong with a recipe, whether it is run or included."""
    for error in validator().iter_errors(document.data):
        # imported here, since a good recipe does not need it
        from rack_recipes.recipe.schema.schema_errors import recipe_errors

        yield from recipe_errors(error, document, validator())
    yield from rule_errors(document)


def rule_errors(document: Document) -> Iterator[RecipeError]:
    """What breaks a rule."""
    top = Node(document, (), document.data)
    steps = list(top.children("steps")) if isinstance(document.data.get("steps"), list) else []
    for rule in (*STEP_LIST_RULES, step_references):
        yield from rule(steps)
    for step in steps:
        yield from field_errors(step)
    yield from param_errors(document)
    yield from top_errors(top)


def field_errors(step: Node) -> Iterator[RecipeError]:
    """What is wrong with the fields of one step. Only rules for fields that the step has are called."""
    for key in step.data.keys() & RULES_BY_FIELD.keys():
        for rule in RULES_BY_FIELD[key]:
            yield from rule(step)
    if not step.data.keys().isdisjoint(CONDITION_FIELDS):
        yield from condition_errors(step)
