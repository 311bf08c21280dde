# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the plan of a run that resumes an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rack_recipes.cli.argument_parser import hint
from rack_recipes.errors import UsageError
from rack_recipes.plan.compile.playbook_file import plan_of, plan_recipe
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.recipe.recipe_model import Recipe
from rack_recipes.settings import Settings


def plan_resumed(
    recipe: str, settings: Settings, given: PlanOptions, earlier: Mapping[str, Any], resume_from: str
) -> Plan:
    """Return the plan of `recipe`; options that are not `given` are those of the earlier run.

    Steps that this call names by --only or --resume-from run with all that they depend on, even if the earlier run left
    them out. Raises RecipeErrors, and UsageError if the step to resume from cannot run.
    """
    options = _inherited(given, earlier)
    plan = plan_of(recipe, settings, options)
    if resume_from:
        names = [step.name for step in plan.recipe.steps]
        if resume_from not in names:
            raise UsageError(f"--resume-from: the recipe has no step {resume_from!r}{hint(resume_from, names)}")
    asked_for = (*given.only, *([resume_from] if resume_from else ()))
    if not asked_for or not (options.only or options.skip):
        return plan
    needed = _names(plan_recipe(plan.recipe, settings, PlanOptions(only=asked_for)))
    if resume_from:
        _check_given(plan.recipe, settings, given, resume_from)
        if options.only and resume_from not in _names(plan):
            options = replace(options, only=(*options.only, resume_from))
    if not given.skip:
        options = replace(options, skip=tuple(name for name in options.skip if name not in needed))
    return plan if options == plan.options else plan_recipe(plan.recipe, settings, options)


def _inherited(given: PlanOptions, earlier: Mapping[str, Any]) -> PlanOptions:
    return replace(
        given,
        only=given.only or tuple(earlier.get("only", ())),
        skip=given.skip or tuple(earlier.get("skip", ())),
        seed=earlier.get("seed") if given.seed is None else given.seed,
        stepwise=given.stepwise or bool(earlier.get("stepwise")),
        parallel=given.parallel or bool(earlier.get("parallel")),
    )


def _check_given(recipe: Recipe, settings: Settings, given: PlanOptions, step: str) -> None:
    """Raise UsageError if this call's options leave out the step to resume from or a step that it depends on."""
    if given.only and step not in _names(plan_recipe(recipe, settings, PlanOptions(only=given.only))):
        raise UsageError(f"--resume-from {step}: --only leaves out this step")
    if step in given.skip:
        raise UsageError(f"--resume-from {step}: --skip leaves out this step")
    needed = _names(plan_recipe(recipe, settings, PlanOptions(only=(step,))))
    if skipped := [name for name in given.skip if name in needed]:
        raise UsageError(f"--resume-from {step}: --skip leaves out {', '.join(skipped)}, which {step} needs")


def _names(plan: Plan) -> set[str]:
    return {planned.step.name for planned in plan.steps}
