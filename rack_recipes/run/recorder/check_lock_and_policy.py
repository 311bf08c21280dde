# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the plays of a run against the lock file and the policy, with the user that each task becomes.

What Ansible really runs is checked, whoever compiled the plays and whatever was changed in them since.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants
from ansible.errors import AnsibleError, AnsibleValueOmittedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import become_loader

from rack_recipes.errors import TrustError
from rack_recipes.plan.compile.action_names import CONTROLLER
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.run.host.host_request import ANSIBLE, HOOKS, scriptlet_of
from rack_recipes.run.host.project_files import Pins
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.play_outline import PlayOutline, steps_of
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

if TYPE_CHECKING:
    from ansible.playbook.task import Task

BECOME, METHOD = "ansible_become", "ansible_become_method"
KEYWORDS = ("become_user", "become_flags", "become_exe")
SUDO, RUNAS = "sudo", "runas"
HARMLESS = re.compile(r"(\s*-[EHSin]+)*\s*")  # flags of sudo that take no value and do not change the user
PLAIN = re.compile(r"\w[\w.@+\\-]*\$?")  # any other text may be a user's number, or more words of the command
UNLIKE_A_NAME = "which is not the plain name of a user"
Variables = Mapping[str, Any]
Fill = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class BecomeUsers:
    """The user that a task becomes, empty for none. `unsure` says why it may be another one, empty where it is not."""

    user: str = ""
    unsure: str = ""


def become_users(task: Task, variables: Variables, fill: Fill) -> BecomeUsers:
    """The user that a task becomes on the host with these variables.

    `fill` fills in templates. Raises TrustError where it cannot be known.
    """
    try:
        become = variables.get(BECOME)
        if not boolean(fill(task.become if become is None else become), strict=False):
            return BecomeUsers()
        method = str(fill(variables.get(METHOD) or task.become_method or constants.DEFAULT_BECOME_METHOD))
        return _user_of(_plugin(method, task, variables, fill))
    except (AnsibleError, ImportError) as error:  # a method of the user's may import what is missing here
        raise TrustError(f"the policy needs to know whom a step becomes, and nobody can tell: {error}") from error


def _plugin(method: str, task: Task, variables: Variables, fill: Fill) -> Any:
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleError(f"there is no become method {method!r}")
    options = dict(_filled(constants.config.get_plugin_vars("become", plugin._load_name), variables, fill))
    keywords = {name: fill(getattr(task, name)) for name in KEYWORDS}
    plugin.set_options(task_keys=keywords, var_options=options)
    return plugin


def _filled(names: list[str], variables: Variables, fill: Fill) -> Iterator[tuple[str, Any]]:
    for name in names:
        if name in variables:
            try:
                yield name, fill(variables[name])
            except AnsibleValueOmittedError:
                continue


def _user_of(plugin: Any) -> BecomeUsers:
    """The user that a become plugin with these options changes to."""
    method, user = str(plugin._load_name).rpartition(".")[2], str(plugin.get_option("become_user") or "root")
    if method != RUNAS and not PLAIN.fullmatch(user):
        return BecomeUsers(user, UNLIKE_A_NAME)
    return BecomeUsers(user, next(_doubts(plugin, method), ""))


def _doubts(plugin: Any, method: str) -> Iterator[str]:
    """Why flags or a program may change to another user; ansible.cfg is trusted, since it names the policy, too."""
    for option in KEYWORDS[1:]:
        if option not in plugin.option_definitions:
            continue
        value, origin = plugin.get_option_and_origin(option)
        usual = plugin.option_definitions[option].get("default")
        is_harmless = method == SUDO and option == "become_flags" and HARMLESS.fullmatch(str(value))
        if value and value != usual and origin != constants.CONFIG_FILE and not is_harmless:
            yield f"and {str(origin).rpartition(' ')[2]} may make it another user: only ansible.cfg may set {option}"


Data = Mapping[str, Any]
Where = Callable[[Any, str], tuple[str, BecomeUsers]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The plays of a run, their outline, the data of the recipe in them, and the merge policies that hold."""

    plays: Sequence[Any]
    planned: PlayOutline
    recipe: Data
    rules: Sequence[tuple[str, str]]


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
    steps = [(task, step, _entry(step, folders)) for task, step in steps_of(compiled.plays)]
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
    planned: PlayOutline,
    steps: Sequence[tuple[object, Data, ScriptletEntry | None]],
    hooks: Sequence[str],
    where: Where,
) -> Iterator[Use]:
    """Each scriptlet or module with its user and its hosts; hooks run wherever a step runs."""
    places: dict[tuple[str, BecomeUsers], dict[str, None]] = {}
    for task, step, entry in steps:
        own = (entry.name,) if entry else names_of(str(step["module"]))
        for host in planned.steps[str(step["name"])].places:
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

    def variables(task: Task, name: str) -> Data:
        play = task.get_play()
        if (name, id(play)) not in of_play:
            of_play[name, id(play)] = api.vars_of(name, play)
        own = task.get_vars()
        return {**of_play[name, id(play)], **own, **api.extra_vars} if own else of_play[name, id(play)]

    def look(task: Task, host: str) -> tuple[str, BecomeUsers]:
        place = host or CONTROLLER
        if not with_users:
            return place, BecomeUsers()
        if task.delegate_to:
            place = _delegate(api, task, variables(task, place)) or place
        judged[int(task.args["number"]), host] = place
        known = variables(task, place)
        return place, become_users(task, known, lambda value: api.fill(value, known))

    def where(task: Task, host: str) -> tuple[str, BecomeUsers]:
        if (id(task), host) not in of_task:
            of_task[id(task), host] = look(task, host)
        return of_task[id(task), host]

    return where


def _delegate(api: AnsibleApi, task: Task, known: Data) -> str:
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
