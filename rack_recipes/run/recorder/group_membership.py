# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is a part of a group.

Which group, what in its recipe needs the hosts of other parts, and how it joins the group at its context server.

A part has its own controller, which sees its own hosts alone. What needs other hosts cannot be judged there, unless the
parts meet at a context server.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import keys_of_others
from ansible_collections.rack.recipes.plugins.module_utils.live_client import LiveError
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.recipe.recipe_model import BETWEEN
from rack_recipes.recipe.steps_to_and_from_data import dependencies
from rack_recipes.run.context_server_client import GroupKeys, link_of
from rack_recipes.run.group_meeting import GroupStage, Meeting, MeetingPlaces, Member
from rack_recipes.run.processes import PART
from rack_recipes.run.recorder.play_outline import PlayOutline, stage_tasks
from rack_recipes.settings import Settings
from rack_recipes.store.writing.record_to_rows import pack_plan

if TYPE_CHECKING:
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it is also the name of a folder, that of the report
AWX = "awx"  # before the number of a workflow job, in the id of its group
ADVICE = (
    "let the parts meet at a context server (--server, and --parts N), or put what needs other hosts into a recipe of "
    "its own, and run that without a group once all parts are over, with --context FILE from "
    "`rack-recipes ctx export {group}`"
)


@dataclass(frozen=True, slots=True)
class Membership:
    """The group that a run is a part of. `part` is what people call it, `parts` how many there are to be, or 0."""

    group: str
    part: str = ""
    parts: int = 0


def find_membership(settings: Settings, extra_vars: Mapping[str, object]) -> Membership | None:
    """The group that the settings name or, without them, that of the slices of an AWX job; None for no group.

    Raises UsageError for an id that cannot be that of a run.
    """
    job = extra_vars.get("awx_job_id")
    part = os.environ.get(PART, "") or (f"job {job}" if job else "")
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


def _is_slice(extra_vars: Mapping[str, object]) -> bool:
    """Whether AWX runs this job as a slice: it makes a workflow of the slices, with the name of their template.

    In a workflow that people made, jobs are runs of their own.
    """
    names = (extra_vars.get("awx_workflow_job_name"), extra_vars.get("awx_job_template_name"))
    return bool(extra_vars.get("awx_workflow_job_id")) and names[0] is not None and names[0] == names[1]


def check_between(steps: Iterable[RunStep], group: str) -> None:
    """Raise UsageError for steps between hosts: a part would test its own hosts only, and say nothing of the others."""
    if found := [f"{step.name} (scope: {step.scope})" for step in steps if step.scope in BETWEEN]:
        raise UsageError(
            f"this recipe cannot be run in parts (group {group}): {', '.join(found)} tests hosts against each other, "
            "and the pairs across two parts would be tested by nobody; put it into a recipe of its own, and run that "
            "without a group, on all hosts"
        )


def check_alone(plays: Sequence[Play], whole: PlayOutline, recipe: Mapping[str, object], group: str) -> None:
    """Raise UsageError where the recipe needs hosts of other parts. `whole` is its outline over the whole inventory."""
    wide = (why for found in wide_stages(plays, whole).values() for why in found)
    locks = (f"other parts do not see who holds the lock {lock}" for lock in shared_locks(plays))
    canary = ["its canary would be one of each part"] if recipe.get("canary") else []
    if found := [*canary, *locks, *wide]:
        problems = "; ".join(dict.fromkeys(found))
        raise UsageError(
            f"this recipe cannot be run in parts (group {group}): {problems}; {ADVICE.format(group=group)}"
        )


def shared_locks(plays: Sequence[Play]) -> list[str]:
    """The locks that hosts share."""
    tasks = (task for play in plays for task in stage_tasks(play))
    return [*dict.fromkeys(lock for task in tasks for lock in task.args.get("locks") or {})]


def wide_stages(plays: Sequence[Play], whole: PlayOutline) -> dict[int, list[str]]:
    """The stages with steps that need hosts of other parts, by number, and why they do."""
    found: dict[int, list[str]] = {}
    for task in (task for play in plays for task in stage_tasks(play)):
        if reasons := [*_wide(task, whole)]:
            found.setdefault(int(task.args["number"]), []).extend(reasons)
    return found


def meeting_places(plays: Sequence[Play], recipe: Mapping[str, Any]) -> MeetingPlaces | None:
    """Where the parts meet; None where they need each other for nothing."""
    canary = recipe.get("canary") or {}
    is_counted = bool(canary) and "hosts" not in canary
    found = MeetingPlaces(meeting_stages(plays), _behind_canary(plays, canary, is_counted=is_counted), is_counted)
    return found if found.stages or found.behind_canary or shared_locks(plays) else None


def _behind_canary(plays: Sequence[Play], canary: Mapping[str, object], *, is_counted: bool) -> dict[str, int]:
    """The stage tasks that wait for the canary, each with the number of the first stage of its play.

    A canary with a pattern has plays of its own, before those with the same stages for the other hosts.
    """
    found: dict[str, int] = {}
    seen: set[int] = set()
    for play in plays if canary else ():
        tasks = stage_tasks(play)
        numbers = {int(task.args["number"]) for task in tasks}
        if numbers and (play.serial if is_counted else numbers & seen):
            found.update({task._uuid: min(numbers) for task in tasks})
        seen |= numbers
    return found


def meeting_stages(plays: Sequence[Play]) -> dict[int, GroupStage]:
    """The stages before which the parts meet, by number. All parts find the same ones, whatever their inventories."""
    tasks = {int(task.args["number"]): task for play in plays for task in stage_tasks(play)}
    steps = {str(step["name"]): step for task in tasks.values() for step in task.args["steps"]}
    return {
        number: GroupStage(
            task.args["steps"][0].get("scope", "host") != "host", bool(task.args["steps"][0].get("always"))
        )
        for number, task in tasks.items()
        if any(_meets(step, steps) for step in task.args["steps"])
    }


def _meets(step: Mapping[str, object], steps: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether a step may need hosts of other parts. What runs once for all is known to each part."""
    if step.get("scope", "host") != "host" or keys_of_others(step):
        return True
    needs = [(need, steps.get(need.step, {})) for need in dependencies(step)]
    return any(
        (need.is_wide and need.hosts != "same") or needed.get("hosts") not in (None, step.get("hosts"))
        for need, needed in needs
        if needed.get("scope", "host") == "host"
    )


def _wide(task: Task, whole: PlayOutline) -> Iterator[str]:
    """Why steps of a stage need hosts of other parts."""
    for step in task.args["steps"]:
        planned = whole.steps[str(step["name"])]
        if planned.scope != "host":
            yield f"step {planned.name} runs once for the run (scope: {planned.scope})"
        elif planned.elsewhere:
            yield f"step {planned.name} reads keys of other hosts ({', '.join(sorted(planned.elsewhere))})"
        yield from (
            f"step {planned.name} depends on {need.step} on other hosts"
            for need in dependencies(step)
            if planned.scope == "host" and _looks_elsewhere(need, planned.hosts, whole)
        )


def _looks_elsewhere(need: Any, hosts: Sequence[str], whole: PlayOutline) -> bool:
    """Whether it depends on a step on hosts beside its own one."""
    needed = whole.steps.get(need.step)
    others = needed is not None and needed.hosts and set(hosts).difference(needed.hosts)
    return need.hosts not in ("", "same") or bool(need.quorum) or bool(others)


HOW_MANY = (
    "this recipe needs the other parts of the group {}: say how many parts there are (--parts N, in AWX the "
    "extra var rack_recipes_parts), so that each one knows for whom it has to wait"
)


def join_group(
    settings: Settings,
    member: Membership,
    name: str,
    own: PlayOutline,
    places: MeetingPlaces,
    canary: Sequence[str],
    about: Sequence[object],
) -> Meeting:
    """Take a place in the group. `name` is what the other parts call this one, `about` what all parts run alike.

    `canary` are the hosts of this part that run first.

    Raises UsageError where there is no such server, or no place.
    """
    if not member.parts:
        raise UsageError(HOW_MANY.format(member.group))
    link = link_of(settings)
    link.check()
    plan = pack_plan({"steps": [step.to_record() for step in own.steps.values()]})
    told = Member(
        name,
        socket.gethostname(),
        member.parts,
        _signature(own, places, about),
        settings.reconnect_timeout,
        plan,
        {pattern: sorted(hosts) for pattern, hosts in own.patterns.items()},
        list(canary),
    )
    try:
        return Meeting(GroupKeys(link, member.group), member.group, told, places, settings.group_wait)
    except LiveError as error:
        raise UsageError(f"--server: the group {member.group} cannot be joined: {error}") from error


def _signature(own: PlayOutline, places: MeetingPlaces, about: Sequence[object]) -> str:
    """A digest of the steps, of their order and of the places where all meet."""
    steps = [(step.name, step.stage, step.scope) for step in own.steps.values()]
    return sha256(json.dumps([steps, sorted(places.stages), *about], sort_keys=True).encode()).hexdigest()
