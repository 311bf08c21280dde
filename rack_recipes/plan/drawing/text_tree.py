# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a tree of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import shortened
from ansible_collections.rack.recipes.plugins.module_utils.language.references import shown
from rack_recipes.plan.drawing.describe_step import facts, marks, seconds, stage_marks
from rack_recipes.plan.plan_model import Plan, PlannedStep, Stage
from rack_recipes.recipe.recipe_model import Canary, Lock, Param

Branch = tuple[str, Iterable[Any]]  # a line, and the branches below it


def to_tree(plan: Plan) -> str:
    """The plan as a tree of text."""
    recipe = plan.recipe
    about = ": ".join(filter(None, (recipe.test_meta.test_id, " ".join(recipe.test_meta.description.split()))))
    branches = (*_recipe_branches(plan), *(_stage_branch(plan, stage) for stage in plan.stages))
    return "".join(f"{line}\n" for line in (f"{recipe.path}  {about}", *_lines(branches)))


def _recipe_branches(plan: Plan) -> Iterator[Branch]:
    recipe = plan.recipe
    properties = (
        ("parameters", ", ".join(map(_param, recipe.params.values()))),
        ("canary", _canary(recipe.canary)),
        ("serial", ", then ".join(map(str, recipe.serial))),
        ("time box", seconds(recipe.time_box) if recipe.time_box is not None else ""),
        ("fail fast", "the first step that does not pass ends the run" if recipe.fail_fast else ""),
        ("merge", ", ".join(f"{keys} {policy}" for keys, policy in recipe.merge.items())),
        *((f"lock {lock.name}", _lock(lock)) for lock in recipe.locks.values()),
        *((HOOKS[planned.when], planned.entry.name) for planned in plan.hooks),
    )
    return ((f"{name}: {text}", ()) for name, text in properties if text)


def _param(param: Param) -> str:
    if param.secret:
        return f"{param.name} (secret)"
    return f"{param.name} (required)" if param.required else f"{param.name} = {shortened(shown(param.default))}"


def _canary(canary: Canary | None) -> str:
    if canary is None:
        return ""
    return f"hosts {canary.hosts}" if canary.hosts else f"{canary.count} host{'' if canary.count == 1 else 's'}"


def _lock(lock: Lock) -> str:
    settle = f", {seconds(lock.settle_sec)} to settle" if lock.settle_sec else ""
    where = {"run": "", "host": " on each host"}.get(lock.of, f" for each {lock.of}")
    return f"{lock.capacity} at once{where}{settle}"


def _stage_branch(plan: Plan, stage: Stage) -> Branch:
    once = "once for the run" if stage.delegate_to else "once for the run, on the controller"
    where = once if stage.scope == "run" else f"hosts {plan.recipe.hosts}"
    why = "" if stage.number == 1 else f"(a new stage: its first step {stage.why})"
    title = "  ".join(filter(None, (f"stage {stage.number}", where, *stage_marks(stage), why)))
    return title, map(_step_branch, stage.steps)


def _step_branch(planned: PlannedStep) -> Branch:
    title = "  ".join((planned.step.name, f"[{planned.step.type}] {planned.uses}", *marks(planned)))
    return title, ((f"{name}: {text}", ()) for name, text in facts(planned))


def _lines(branches: Iterable[Branch]) -> Iterator[str]:
    whole = list(branches)
    for number, (title, below) in enumerate(whole, start=1):
        last = number == len(whole)
        yield ("└── " if last else "├── ") + title
        for line in _lines(below):
            yield ("    " if last else "│   ") + line


HOOKS = {"pre_step": "before each try", "post_step": "after each try"}
