# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stages each verdict task judges: a role's verdict waits for that of the role that comes right behind it.

Ansible runs nothing more on a host that has failed, so the first role's verdict would take the host from the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rack_recipes.plan.compile.action_names import STAGE, VERDICT
from rack_recipes.run.current_run import Judged
from rack_recipes.run.recorder.play_outline import all_tasks, parents

if TYPE_CHECKING:
    from ansible.playbook.play import Play

HARMLESS = ("ansible.builtin.validate_argument_spec", "ansible.builtin.meta")  # what stands between two roles


def judged_stages(plays: Iterable[Play]) -> dict[str, tuple[Judged, ...]]:
    """What each verdict task that names its stages judges, by its id; nothing where a later one does it."""
    found: dict[str, tuple[Judged, ...]] = {}
    for play in plays:
        waiting: tuple[Judged, ...] = ()
        tasks = [*{task._uuid: task for task in all_tasks(play)}.values()]  # a role that two others need comes twice
        for place, task in enumerate(tasks):
            if not _names_stages(task):
                continue
            waiting = (*waiting, Judged(tuple(task.args["stages"]), _role(task)))
            is_late = _can_wait(task, play) and any(_can_wait(late, play) for late in _next_verdict(tasks[place + 1 :]))
            found[task._uuid] = () if is_late else waiting
            waiting = waiting if is_late else ()
    return found


def _names_stages(task: Any) -> bool:
    """Whether a task is a verdict on stages that it names."""
    named = task.args.get("stages")
    return bool(task.resolved_action == VERDICT and isinstance(named, list) and named)


def _role(task: Any) -> str:
    return f"the role {task._role.get_name()}" if task._role else "these stages"


def _next_verdict(tasks: Iterable[Any]) -> Iterator[Any]:
    """The verdict task of the stages that come at once; none where a task stands between that is not ours."""
    has_stage = False
    for task in tasks:
        if task.resolved_action == VERDICT:
            if has_stage and _names_stages(task):
                yield task
            return
        if task.resolved_action not in (STAGE, *HARMLESS):
            return
        has_stage = has_stage or task.resolved_action == STAGE


def _can_wait(task: Any, play: Play) -> bool:
    """Whether a verdict is given in any case, for its own host, and nothing handles that it fails."""
    plain = not (task.when or task.loop or task.loop_with or task.run_once or task.ignore_errors or task.delegate_to)
    stops = task.any_errors_fatal or play.max_fail_percentage is not None
    return bool(plain and not stops and task.evaluate_tags(play.only_tags, play.skip_tags, {})) and not any(
        getattr(parent, "rescue", None) or getattr(parent, "always", None) for parent in parents(task)
    )
