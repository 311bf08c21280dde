# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the plays of a run may begin: whoever compiled them, whatever became of them since, this is what is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.model import Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.means import Means
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.plays import Outline, stage_tasks
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import RUN_HOST
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.asking.request import HOOKS, scriptlet_of
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.sending.pinned import Pins
from ansible_collections.rack.recipes.plugins.plugin_utils.trust.asked import (
    CONTROLLER,
    Asked,
    Use,
    action_on,
    each_once,
    full_name,
    merge_hooks,
    of_merges,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.trust.guard import check_run

BECOME = "ansible_become"
USERS = ("ansible_become_user", "ansible_sudo_user", "ansible_su_user", "ansible_doas_user")

Said = Mapping[str, Any]
UserOf = Callable[[Any, str], str]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The plays of a run with what they plan, what they say of their recipe, and the merge policies that hold."""

    plays: Sequence[Any]
    planned: Outline
    recipe: Said
    rules: Sequence[tuple[str, str]]

    def steps(self) -> Iterator[tuple[Any, Said]]:
        """Each step, and the task that runs it."""
        for play in self.plays:
            for task in stage_tasks(play):
                yield from ((task, step) for step in task.args["steps"])


def check_plays(compiled: Compiled, settings: Settings, means: Means) -> Pins | None:
    """The files that these plays may send, None for all. Raises TrustError, and CatalogError for what is not there."""
    return check_run(asked_of(compiled, settings, means), settings, _with_controller(means))


def asked_of(compiled: Compiled, settings: Settings, means: Means) -> Asked:
    """What the plays are about to run, on which hosts and as whom."""
    folders = tuple(map(Path, settings.scriptlets))
    said = compiled.recipe.get("hooks") or {}
    hooks = [scriptlet_of(hook, folders) for when in HOOKS for hook in said.get(when) or ()]
    steps = [(task, step, _entry(step, folders)) for task, step in compiled.steps()]
    path, merges = str(compiled.recipe.get("path") or ""), merge_hooks(compiled.rules, settings)
    modules = (full_name(str(step["module"])) for _task, step, entry in steps if entry is None)
    return Asked(
        action=action_on(path, settings),
        recipe=path,
        uses=(*_uses(compiled.planned, steps, [hook.name for hook in hooks], _users(means)), *of_merges(merges)),
        digest=str(compiled.recipe.get("digest") or ""),
        entries=each_once([*(entry for _task, _step, entry in steps if entry is not None), *hooks]),
        modules=tuple(dict.fromkeys(modules)),
        merges=merges,
    )


def _entry(step: Said, folders: tuple[Path, ...]) -> Entry | None:
    return None if step.get("type") == "ansible" else scriptlet_of(step, folders)


def _uses(
    planned: Outline, steps: Sequence[tuple[Any, Said, Entry | None]], hooks: Sequence[str], user_of: UserOf
) -> Iterator[Use]:
    """What runs where as whom, each once; hooks run wherever a step does."""
    places: dict[tuple[str, str], dict[str, None]] = {}
    for task, step, entry in steps:
        own = entry.name if entry else full_name(str(step["module"]))
        for host in planned.steps[str(step["name"])].hosts:
            for name in (own, *hooks):
                places.setdefault((name, user_of(task, host)), {})[host or CONTROLLER] = None
    return (Use(name, become, tuple(hosts)) for (name, become), hosts in places.items())


def _users(means: Means) -> UserOf:
    """The user that a task becomes on a host, empty for none: a host's variables win over the task."""
    of_host = cache(lambda host: dict(_becoming(means.extra_vars if host == RUN_HOST else means.vars_of(host))))

    def user_of(task: Any, host: str) -> str:
        said = of_host(host)
        if not boolean(means.fill(said.get(BECOME, task.become)), strict=False):
            return ""
        users = [said[name] for name in USERS if said.get(name)]
        return str(means.fill(users[0] if users else task.become_user) or "root")

    return user_of


def _becoming(variables: Said) -> Iterator[tuple[str, Any]]:
    return ((name, variables[name]) for name in (BECOME, *USERS) if variables.get(name) is not None)


def _with_controller(means: Means) -> Callable[[str], Sequence[str]]:
    """The hosts of a pattern. Ansible knows the controller by a name that no group has."""
    return lambda pattern: [*means.resolve(pattern), *([CONTROLLER] if pattern in (CONTROLLER, "*") else [])]
