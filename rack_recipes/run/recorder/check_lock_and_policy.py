# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the plays of a run against the lock file and the policy.

What Ansible really runs is checked, whoever compiled the plays and whatever was changed in them since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleValueOmittedError

from rack_recipes.plan.compile.action_names import CONTROLLER
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.become_user import BecomeUsers, become_users
from rack_recipes.run.recorder.play_outline import PlayOutline, stage_tasks
from rack_recipes.run.stage.payload.pinned_code import Pins
from rack_recipes.run.stage.request.request import HOOKS, scriptlet_of
from rack_recipes.run.stage.request.step_message import ANSIBLE
from rack_recipes.run.trust.check_trust import check_run
from rack_recipes.run.trust.find_ansible_module import full_name, names_of
from rack_recipes.run.trust.trust_request import (
    TrustRequest,
    Use,
    action_on,
    distinct_entries,
    merge_hooks,
    suites_of,
    uses_of_merge_hooks,
)
from rack_recipes.settings import Settings

Data = Mapping[str, Any]
Where = Callable[[Any, str], tuple[str, BecomeUsers]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The plays of a run, their outline, the data of the recipe in them, and the merge policies that hold."""

    plays: Sequence[Any]
    planned: PlayOutline
    recipe: Data
    rules: Sequence[tuple[str, str]]

    def steps(self) -> Iterator[tuple[Any, Data]]:
        """Each step, with the task that runs it."""
        for play in self.plays:
            for task in stage_tasks(play):
                yield from ((task, step) for step in task.args["steps"])


def check_plays(compiled: Compiled, settings: Settings, api: AnsibleApi) -> Pins | None:
    """The files that these plays may send, None for all.

    Raises TrustError for what is not allowed, CatalogError for a scriptlet that cannot be found.
    """
    return check_run(trust_request_of(compiled, settings, api), settings, _with_controller(api))


def trust_request_of(compiled: Compiled, settings: Settings, api: AnsibleApi) -> TrustRequest:
    """What the plays are about to run, on which hosts and as which users."""
    folders = tuple(map(Path, settings.scriptlets))
    declared = compiled.recipe.get("hooks") or {}
    hooks = [scriptlet_of(hook, folders) for when in HOOKS for hook in declared.get(when) or ()]
    steps = [(task, step, _entry(step, folders)) for task, step in compiled.steps()]
    path, merges = str(compiled.recipe.get("path") or ""), merge_hooks(compiled.rules, settings)
    modules = (full_name(str(step["module"])) for _task, step, entry in steps if entry is None)
    where = _where(api, compiled.planned.judged, with_users=bool(settings.policy))
    return TrustRequest(
        action=action_on(path, settings),
        recipe=path,
        uses=(*_uses(compiled.planned, steps, [hook.name for hook in hooks], where), *uses_of_merge_hooks(merges)),
        digest=str(compiled.recipe.get("digest") or ""),
        entries=distinct_entries([*(entry for _task, _step, entry in steps if entry is not None), *hooks]),
        modules=tuple(dict.fromkeys(modules)),
        merges=merges,
        suites=suites_of((entry or str(step["module"]), step.get("args") or {}) for _task, step, entry in steps),
    )


def _entry(step: Data, folders: tuple[Path, ...]) -> ScriptletEntry | None:
    return None if step.get("type") == ANSIBLE else scriptlet_of(step, folders)


def _uses(
    planned: PlayOutline, steps: Sequence[tuple[Any, Data, ScriptletEntry | None]], hooks: Sequence[str], where: Where
) -> Iterator[Use]:
    """Each scriptlet or module with its user and its hosts; hooks run wherever a step runs."""
    places: dict[tuple[str, BecomeUsers], dict[str, None]] = {}
    for task, step, entry in steps:
        own = (entry.name,) if entry else names_of(str(step["module"]))
        for host in planned.steps[str(step["name"])].hosts:
            place, who = where(task, host)
            for name in (*own, *hooks):
                places.setdefault((name, who), {})[place] = None
    return (Use(name, who.user, tuple(hosts), who.unsure) for (name, who), hosts in places.items())


def _where(api: AnsibleApi, judged: dict[tuple[int, str], str], *, with_users: bool) -> Where:
    """A function that returns the host on which a task really runs for a host, and the user that it becomes there.

    `with_users` is false where no policy needs the users. Where one does, `judged` keeps these hosts.
    """
    of_play: dict[tuple[str, int], Data] = {}
    of_task: dict[tuple[int, str], tuple[str, BecomeUsers]] = {}

    def variables(task: Any, name: str) -> Data:
        play = task.get_play()
        if (name, id(play)) not in of_play:
            of_play[name, id(play)] = api.vars_of(name, play)
        own = task.get_vars()
        return {**of_play[name, id(play)], **own, **api.extra_vars} if own else of_play[name, id(play)]

    def look(task: Any, host: str) -> tuple[str, BecomeUsers]:
        place = host or CONTROLLER
        if not with_users:
            return place, BecomeUsers()
        if task.delegate_to:
            place = _delegate(api, task, variables(task, place)) or place
        judged[int(task.args["number"]), host] = place
        known = variables(task, place)
        return place, become_users(task, known, lambda value: api.fill(value, known))

    def where(task: Any, host: str) -> tuple[str, BecomeUsers]:
        if (id(task), host) not in of_task:
            of_task[id(task), host] = look(task, host)
        return of_task[id(task), host]

    return where


def _delegate(api: AnsibleApi, task: Any, known: Data) -> str:
    """The host that runs a task on behalf of another one; empty where that one does, as after `omit`.

    The template itself, which is no host that a rule names, where it cannot be filled in yet.
    """
    try:
        return str(api.fill(task.delegate_to, known) or "")
    except AnsibleValueOmittedError:
        return ""
    except AnsibleError:
        return str(task.delegate_to)


def _with_controller(api: AnsibleApi) -> Callable[[str], Sequence[str]]:
    """A function that returns the hosts of a pattern; the controller is in no group of Ansible's inventory."""
    return lambda pattern: [*api.resolve(pattern), *([CONTROLLER] if pattern in (CONTROLLER, "*") else [])]
