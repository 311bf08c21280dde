# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as the plain data of a compiled playbook, in the recipe's own words: only what differs from the default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rack_recipes.plan.plan_model import Plan, PlannedHook, PlannedStep
from rack_recipes.recipe.steps_to_and_from_data import COMPILED_ORDER, number, param_to_data, to_data


def compiled_step(planned: PlannedStep) -> dict[str, Any]:
    """A step as a stage's task holds it: its own fields, and what the plan adds."""
    added = {
        "depends_on": [*map(to_data, planned.depends_on)],
        "after": planned.after,
        "skip": planned.skip,
    }
    data = {**to_data(planned.step), **{name: value for name, value in added.items() if value}}
    return {name: data[name] for name in COMPILED_ORDER if name in data}


def compiled_recipe(plan: Plan) -> dict[str, Any]:
    """What holds for all steps."""
    recipe = plan.recipe
    pairs = (
        ("params", {param.name: param_to_data(param) for param in recipe.params.values()} or None),
        ("hooks", _hooks(plan.hooks) or None),
        ("locks", {lock.name: to_data(lock) for lock in recipe.locks.values()} or None),
        ("canary", recipe.canary and to_data(recipe.canary)),
        ("serial", (recipe.serial[0] if len(recipe.serial) == 1 else recipe.serial) or None),
        ("time_box", number(recipe.time_box)),
        ("priority", _highest_priority(plan) if recipe.time_box is not None else None),
        ("fail_fast", recipe.fail_fast or None),
        ("context", {"merge": dict(recipe.merge)} if recipe.merge else None),
        ("options", to_data(plan.options) or None),
    )
    return {name: value for name, value in pairs if value is not None}


def _highest_priority(plan: Plan) -> int | None:
    """The priority of the steps that a time box spares; None where all have the same, and it spares none."""
    found = {planned.step.priority for planned in plan.steps if not planned.step.always}
    return max(found) if len(found) > 1 else None


def _hooks(hooks: Iterable[PlannedHook]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for planned in hooks:
        found.setdefault(planned.when, []).append(to_data(planned.hook))
    return found
