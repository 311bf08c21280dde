# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of a role with a recipe inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rack_recipes.plan.compile.action_names import STAGE, VERDICT
from rack_recipes.plan.compile.playbook import KEEP_GOING, to_task
from rack_recipes.plan.plan_model import Plan

Task = dict[str, Any]

BLOCK = "Test all parts"


def tasks_of(plan: Plan, first: int, title: Callable[[Mapping[str, Any]], str]) -> Sequence[Task]:
    """The tasks of a role, whose stages have numbers from `first` on; `title` names the task of a stage.

    No stage ends the role: the plan and not Ansible decides what a failed step blocks, and Ansible would end the play
    of all hosts where a task fails that runs once. The hosts that did not pass fail at the end, and so does the first
    host where nothing was tested.
    """
    tasks = [to_task(plan.recipe, stage) for stage in plan.stages]
    for number, task in enumerate(tasks, first):
        task[STAGE]["number"] = number
        task["name"] = title(task)
    verdict = _verdict([task[STAGE]["number"] for task in tasks])
    if len(tasks) == 1:
        return [{"name": tasks[0].pop("name"), **KEEP_GOING, **tasks[0]}, verdict]
    return [{"name": BLOCK, **KEEP_GOING, "block": tasks}, verdict]


def _verdict(stages: Sequence[int]) -> Task:
    ends = dict.fromkeys(KEEP_GOING, False)  # also in a play that ignores errors
    return {"name": "Fail the hosts that did not pass", VERDICT: {"stages": stages}, **ends, "tags": ["always"]}
