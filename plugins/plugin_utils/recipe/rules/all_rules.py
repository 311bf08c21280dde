# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold in a recipe and no schema can say.

Every rule takes a recipe as it is in the file, some of it broken, and looks only at what it understands.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.conditions import condition_errors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.node import Node
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.param_declarations import param_errors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.references import step_references
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.step_fields import OF_FIELD
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.step_names import OF_STEPS
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.top_level import top_errors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import Document


def rule_errors(document: Document) -> Iterator[RecipeError]:
    """What breaks a rule."""
    top = Node(document, (), document.data)
    steps = list(top.parts("steps")) if isinstance(document.data.get("steps"), list) else []
    for rule in (*OF_STEPS, step_references):
        yield from rule(steps)
    for step in steps:
        yield from field_errors(step)
    yield from param_errors(document)
    yield from top_errors(top)


def field_errors(step: Node) -> Iterator[RecipeError]:
    """What is wrong with the fields of one step; a step pays only for those that it has."""
    for key in step.data.keys() & OF_FIELD.keys():
        for rule in OF_FIELD[key]:
            yield from rule(step)
    if not step.data.keys().isdisjoint(WITH_CONDITIONS):
        yield from condition_errors(step)


WITH_CONDITIONS = frozenset(("when", "retry", "repeat", "success"))
