# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is a part of a group: which group, and whether its recipe can be run in parts at all.

A part has its own controller, which sees its own hosts alone. What needs other hosts cannot be judged there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.serialize import dependencies
from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder.play_outline import PlayOutline, stage_tasks
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it is also the name of a folder, that of the report
AWX = "awx"  # before the number of a workflow job, in the id of its group
ADVICE = (
    "put what needs other hosts into a recipe of its own, and run that without a group once all parts are over, with "
    "--context FILE from `rack-recipes ctx export {group}`"
)


@dataclass(frozen=True, slots=True)
class Membership:
    """The group that a run is a part of. `part` is what people call it, `parts` how many there are to be, or 0."""

    group: str
    part: str = ""
    parts: int = 0


def membership(settings: Settings, extra_vars: Mapping[str, Any]) -> Membership | None:
    """The group that the settings name or, without them, that of the slices of an AWX job; None for no group.

    Raises UsageError for an id that cannot be that of a run.
    """
    job = extra_vars.get("awx_job_id")
    part = f"job {job}" if job else ""
    if settings.group:
        if not ID.fullmatch(settings.group):
            raise UsageError(
                f"the group {settings.group!r}: expected at most 100 letters, digits, '.', '_' and '-', the first one "
                "a letter or a digit"
            )
        return Membership(settings.group, part, settings.parts)
    return (
        Membership(f"{AWX}-{extra_vars['awx_workflow_job_id']}", part, settings.parts)
        if _is_slice(extra_vars)
        else None
    )


def _is_slice(extra_vars: Mapping[str, Any]) -> bool:
    """Whether AWX runs this job as a slice: it makes a workflow of the slices, with the name of their template.

    In a workflow that people made, jobs are runs of their own.
    """
    names = (extra_vars.get("awx_workflow_job_name"), extra_vars.get("awx_job_template_name"))
    return bool(extra_vars.get("awx_workflow_job_id")) and names[0] is not None and names[0] == names[1]


def check_alone(plays: Sequence[Any], whole: PlayOutline, recipe: Mapping[str, Any], group: str) -> None:
    """Raise UsageError where the recipe needs hosts of other parts. `whole` is its outline over the whole inventory."""
    found = [
        *_wide_recipe(recipe),
        *(why for play in plays for task in stage_tasks(play) for why in _wide(task, whole)),
    ]
    if found:
        problems = "; ".join(dict.fromkeys(found))
        raise UsageError(
            f"this recipe cannot be run in parts (group {group}): {problems}; {ADVICE.format(group=group)}"
        )


def _wide_recipe(recipe: Mapping[str, Any]) -> Iterator[str]:
    if recipe.get("canary"):
        yield "its canary would be one of each part"


def _wide(task: Any, whole: PlayOutline) -> Iterator[str]:
    """Why steps of a stage need hosts of other parts."""
    for lock in task.args.get("locks") or {}:
        yield f"other parts do not see who holds the lock {lock}"
    for step in task.args["steps"]:
        planned = whole.steps[str(step["name"])]
        if planned.scope == "run":
            yield f"step {planned.name} runs once for the run (scope: run)"
        elif planned.elsewhere:
            yield f"step {planned.name} reads keys of other hosts ({', '.join(sorted(planned.elsewhere))})"
        yield from (
            f"step {planned.name} depends on {need.step} on other hosts"
            for need in dependencies(step)
            if planned.scope != "run" and _looks_elsewhere(need, planned.hosts, whole)
        )


def _looks_elsewhere(need: Any, hosts: Sequence[str], whole: PlayOutline) -> bool:
    """Whether it depends on a step on hosts beside its own one."""
    needed = whole.steps.get(need.step)
    others = needed is not None and needed.hosts and set(hosts).difference(needed.hosts)
    return need.hosts not in ("", "same") or bool(need.quorum) or bool(others)
