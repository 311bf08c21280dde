# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data -> all that is wrong with it as a recipe.

The schema says what a recipe may hold; rules for what no schema can say follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError, RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.all_rules import rule_errors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.param_declarations import known_before_the_run
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.top_level import left_to_top
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.schema.json_schema import validator
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import MOST, Document


def check_top(document: Document) -> None:
    """Raise RecipeErrors with what is wrong with a recipe that is run by itself, the first hundred problems of it."""
    raise_first(chain(problems(document), known_before_the_run(document)))


def check_included(document: Document) -> None:
    """The same for one that another recipe includes."""
    raise_first(chain(problems(document), left_to_top(document)))


def raise_first(errors: Iterable[RecipeError]) -> None:
    """Raise RecipeErrors with the first hundred errors, each place and expectation once, if there are any."""
    found = {(error.place, error.expected): error for error in islice(errors, MOST)}
    if found:
        raise RecipeErrors(list(found.values()))


def problems(document: Document) -> Iterator[RecipeError]:
    """Everything that is wrong with a recipe, one by one."""
    for error in validator().iter_errors(document.data):
        # a good recipe does not pay for this import
        from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.schema.schema_errors import fault_errors

        yield from fault_errors(error, document, validator())
    yield from rule_errors(document)
