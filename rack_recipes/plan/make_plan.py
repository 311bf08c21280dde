# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the plan of a recipe: finds the scriptlets, checks their arguments, draws edges, orders steps, cuts stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from rack_recipes.errors import RecipeError, RecipeErrors, UsageError
from rack_recipes.plan.cut_stages import cut_into_stages
from rack_recipes.plan.dependency_graph import Edges, arrange, key_usage_of, with_needed
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.plan.recipe_mistakes import PlanProblem, Scriptlets, located, problems, problems_of_keys
from rack_recipes.recipe.recipe_model import KeyUsage, Recipe, Step
from rack_recipes.recipe.values_in_messages import closest, listed, quoted
from rack_recipes.recipe.yaml.reader import MAX_ERRORS

SKIPPED = "left out by --skip"
EVERY_HOST = ("all", "*")
NO_OPTIONS = PlanOptions()


def make_plan(recipe: Recipe, folders: Sequence[Path], options: PlanOptions = NO_OPTIONS) -> Plan:
    """The plan of `recipe`, with drop-in scriptlets from `folders`. Nothing is run.

    Raises RecipeErrors, and UsageError where an option names an unknown step.
    """
    scriptlets = Scriptlets(folders)
    _refuse(recipe, problems(recipe, scriptlets))
    steps = [_with_options(step, recipe, options) for step in recipe.steps]
    data = {step.name: key_usage_of(step, scriptlets.of_steps[step.name]) for step in steps}
    _refuse(recipe, problems_of_keys(steps, data))
    for option in ("only", "skip"):
        _check_names(recipe, option, getattr(options, option))
    shared = {lock.name for lock in recipe.locks.values() if lock.of != "host"}
    planned = [
        replace(
            step,
            depends_on=edges.needs,
            after=edges.after,
            skip=SKIPPED if step.name in options.skip else "",
            entry=scriptlets.of_steps[step.name],
            keys=data[step.name],
            serve=scriptlets.serving.get(step.name),
        )
        for step, edges in _arranged(steps, data, options)
    ]
    stages = cut_into_stages(planned, shared, stepwise=options.stepwise, batched=bool(recipe.serial or recipe.canary))
    return Plan(recipe, stages, tuple(scriptlets.of_hooks), options)


def _refuse(recipe: Recipe, found: Iterator[PlanProblem]) -> None:
    first = list(islice(found, MAX_ERRORS))
    if first:
        raise RecipeErrors(located(recipe, first))


def _check_names(recipe: Recipe, option: str, names: Iterable[str]) -> None:
    known = tuple(step.name for step in recipe.steps)
    for name in names:
        if name not in known:
            near = closest(name, known)
            hint = f"did you mean {near!r}?" if near else listed(known)
            raise UsageError(f"{option}: expected the name of a step of {recipe.path}, got {quoted(name)} ({hint})")


def _arranged(steps: Sequence[Step], data: Mapping[str, KeyUsage], options: PlanOptions) -> list[tuple[Step, Edges]]:
    try:
        if options.only:
            wanted = with_needed(options.only, {step.name: edges.needs for step, edges in arrange(steps, data)})
            steps = [step for step in steps if step.name in wanted]
        return arrange(steps, data, options.seed)
    except RecipeError as error:
        raise RecipeErrors([error]) from None


def _with_options(step: Step, recipe: Recipe, options: PlanOptions) -> Step:
    """A step as the options change it. A `hosts` that leaves out no host is dropped.

    `parallel` changes no loop: only its author knows whether its instances may run at the same time.
    """
    changes: dict[str, Any] = {}
    if step.hosts in (*EVERY_HOST, recipe.hosts):
        changes["hosts"] = None
    if options.parallel and step.loop is None and not step.matrix and step.type != "ansible":
        changes["parallel"] = True
    return replace(step, **changes) if changes else step
