# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compiles a stage to the task that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS as CRITERIA
from rack_recipes.plan.compile.action_names import CONTROLLER, STAGE
from rack_recipes.plan.compile.yaml_text import verbatim
from rack_recipes.plan.compiled_data import compiled_step
from rack_recipes.plan.plan_model import PlannedStep, Stage
from rack_recipes.recipe.recipe_model import Condition, Recipe
from rack_recipes.recipe.steps_to_and_from_data import to_data

ON_CONTROLLER = {"run_once": True, "delegate_to": CONTROLLER}
TITLE_LENGTH = 100
RESERVED = ("all", "always", "never", "tagged", "untagged")
# Words of a condition whose text is never a template.
LITERAL = ("name", "unit", *(word for word, criterion in CRITERIA.items() if criterion.takes == "text"))


def to_task(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """The task that runs a stage."""
    names = [planned.step.name for planned in stage.steps]
    locks = {name: to_data(recipe.locks[name]) for name in stage.locks}
    return {
        "name": _title(stage.number, names),
        STAGE: {
            "number": stage.number,
            **({"locks": locks} if locks else {}),
            "steps": [*map(_step, stage.steps)],
        },
        **(ON_CONTROLLER if stage.scope == "run" else {}),
        **({"delegate_to": stage.delegate_to} if stage.delegate_to else {}),
        **_become(stage.become),
        "tags": _tags(stage),
    }


def _title(number: int, names: list[str]) -> str:
    title = f"Stage {number}, {', '.join(names)}"
    if len(title) <= TITLE_LENGTH:
        return title
    return f"Stage {number}, {len(names)} steps from {names[0]} to {names[-1]}"


def _become(user: str) -> dict[str, Any]:
    if not user:
        return {}
    return {"become": True} if user == "root" else {"become": True, "become_user": user}


def _tags(stage: Stage) -> list[str]:
    """The names of the steps and their tags, without the tags that have a meaning of their own in Ansible."""
    tags = dict.fromkeys(tag for planned in stage.steps for tag in (planned.step.name, *planned.step.tags))
    return [tag for tag in tags if tag not in RESERVED]


def _step(planned: PlannedStep) -> dict[str, Any]:
    """A compiled step. Text that must not be taken for a template is marked."""
    data = compiled_step(planned)
    return {name: VERBATIM_TEXTS[name](value) if name in VERBATIM_TEXTS else value for name, value in data.items()}


def _conditions(value: Any) -> Any:
    """Conditions with their plain texts marked. Anything else, such as a template for them, stays as it is."""
    return [*map(_condition, value)] if isinstance(value, (list, tuple)) else value


def _condition(condition: Condition) -> dict[str, Any]:
    return {word: _limits(word, value) for word, value in condition.items()}


def _limits(word: str, value: Any) -> Any:
    if word == "warn":
        return _condition(value)
    return verbatim(value) if word in LITERAL else value


def _in(part: str) -> Callable[[Any], Any]:
    """Marks the texts of the conditions under one key of a mapping."""

    def mark(value: Any) -> Any:
        if not isinstance(value, Mapping) or part not in value:
            return value
        return {**value, part: _conditions(value[part])}

    return mark


VERBATIM_TEXTS: Mapping[str, Callable[[Any], Any]] = {
    "when": _conditions,
    "retry": _in("until"),
    "repeat": _in("until"),
    "success": _in("values"),
    "cache_key": verbatim,
}
