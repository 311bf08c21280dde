# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats in which a plan is shown: tree, JSON, Graphviz, Mermaid."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rack_recipes.plan.compiled_data import compiled_recipe, compiled_step
from rack_recipes.plan.drawing.graphviz_and_mermaid import to_dot, to_mermaid
from rack_recipes.plan.drawing.text_tree import to_tree
from rack_recipes.plan.plan_model import Plan, PlannedStep, Stage
from rack_recipes.recipe.steps_to_and_from_data import to_data

# Fields of a compiled step that the plan names in another way, or leaves out: arguments may be long, or secret.
LEFT_OUT = frozenset(("module", "function", "args"))


def plan_to_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data."""
    recipe = plan.recipe
    return {
        "recipe": recipe.path,
        "digest": recipe.digest,
        "test_id": recipe.test_meta.test_id,
        "hosts": recipe.hosts,
        **compiled_recipe(plan),
        "stages": [*map(_stage_data, plan.stages)],
    }


def _stage_data(stage: Stage) -> dict[str, Any]:
    return {
        "number": stage.number,
        "scope": stage.scope,
        "why": stage.why,
        "become": stage.become,
        "delegate_to": stage.delegate_to,
        "locks": list(stage.locks),
        "kind": stage.kind,
        "always": stage.always,
        "wide": stage.wide,
        "steps": [*map(_step_data, stage.steps)],
    }


def _step_data(planned: PlannedStep) -> dict[str, Any]:
    step = planned.step
    data = {
        "name": step.name,
        "idx": step.idx,
        "type": step.type,
        "scriptlet": planned.uses,
        "source": planned.entry.source if planned.entry else "ansible",
        "hosts": step.hosts,
        "scope": step.scope,
        "depends_on": [*map(to_data, planned.depends_on)],
        "after": list(planned.after),
        "reads": list(planned.reads),
        "writes": list(planned.writes),
        "timeout": step.timeout,
        "tries": step.retry.max,
        "parallel": step.parallel,
        "checks": list(step.success.ctx_has_keys),
    }
    more = compiled_step(planned).items()
    return {**data, **{name: value for name, value in more if name not in data and name not in LEFT_OUT}}


def to_json(plan: Plan) -> str:
    """The plan as JSON text."""
    return json.dumps(plan_to_data(plan), ensure_ascii=False, indent=2) + "\n"


FORMATS: dict[str, Callable[[Plan], str]] = {"tree": to_tree, "json": to_json, "dot": to_dot, "mermaid": to_mermaid}
