# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that are probably meant for a role, a recipe or our settings, but that nothing reads under this name.

Ansible takes any variable. A misspelt one leaves the default in force, and the test runs with other limits than meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rack_recipes.errors import nearest
from rack_recipes.plan.compile.action_names import RECIPE_VARIABLE
from rack_recipes.recipe.recipe_names import PREFIX
from rack_recipes.run.extra_vars import GIVEN, PLAN, REUSE
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.begin_run import TEST_ID
from rack_recipes.run.recorder.hosts_of_run import variables_of
from rack_recipes.run.recorder.play_outline import all_tasks, first_task_of_each_role
from rack_recipes.settings import ALIKE, NAMES_OF_ALL, SECTION, nearest_setting

if TYPE_CHECKING:
    from ansible.playbook.play import Play

OF_SETTINGS = f"{SECTION}_"
SETTINGS = (*(f"{OF_SETTINGS}{name}" for name in (*NAMES_OF_ALL, *PLAN, *REUSE)), GIVEN)
"""The extra vars that a run reads."""


def misspelt_variables(plays: Iterable[Play], hosts: Iterable[str], api: AnsibleApi) -> Iterator[str]:
    """A warning for each such variable of the plays, of their roles, of the inventory and of the command line."""
    plays, hosts = [*plays], [*hosts]
    found = dict.fromkeys((*_of_settings(plays, api), *_of_recipe(plays, hosts, api)))
    tasks = [(play, name, task) for play in plays for name, task in first_task_of_each_role(play).items()]
    inventory = api.inventory if tasks else None
    of_hosts = {name for host in hosts for name in variables_of(inventory, host)} if inventory else set()
    for play, role, task in tasks:
        given = {*of_hosts, *api.vars_of_task(play, task)}
        found |= dict.fromkeys(_of_role(role, given, [*task._role.get_default_vars()], task._role._role_vars))
    yield from found


def _of_role(role: str, given: Iterable[str], known: Sequence[str], own: Iterable[str]) -> Iterator[str]:
    """The variables with the prefix of a role that has defaults, and none of this name.

    `cabling_` or `report_` may begin anybody's variable: where the prefix is one word, or the role not ours, only what
    is nearly the name of one of the role's variables counts.
    """
    prefix = f"{role.rpartition('.')[2]}_"
    is_distinct = role.startswith(PREFIX) and prefix.count("_") > 1
    for name in sorted(name for name in {*given} - {*known, *own} if name.startswith(prefix) and known):
        if near := _nearest(name, known, prefix):
            yield f"the role {role} has no variable {name}, did you mean {near}?"
        elif is_distinct:
            yield f"the role {role} has no variable {name}; it has {', '.join(known)}"


def _nearest(name: str, known: Sequence[str], prefix: str) -> str:
    ends = [each.removeprefix(prefix) for each in known if each.startswith(prefix)]
    end = nearest_setting(name.removeprefix(prefix), ends)  # `bd` for `db`
    return end and prefix + end


def _of_recipe(plays: Sequence[Play], hosts: Sequence[str], api: AnsibleApi) -> Iterator[str]:
    """The extra vars that are nearly the name of one of the recipe's parameters, and that no play, host or task has."""
    known = [name for play in plays for name in (play.vars.get(RECIPE_VARIABLE) or {}).get("params") or {}]
    others = sorted(name for name in api.extra_vars.keys() - {*known, *SETTINGS} if nearest(name, known, ALIKE))
    if not others or not api.inventory:
        return
    read = {name for play in plays for name in play.vars}
    read.update(name for host in hosts for name in variables_of(api.inventory, host))
    tasks = " ".join(f"{task.args} {task.vars} {task.when}" for play in plays for task in all_tasks(play))
    for name in others:
        if name not in read and not re.search(rf"\b{re.escape(name)}\b", tasks):
            yield f"the recipe has no parameter {name}, did you mean {nearest(name, known, ALIKE)}?"


def _of_settings(plays: Iterable[Play], api: AnsibleApi) -> Iterator[str]:
    """Those with the prefix of settings. Plays that were compiled from a recipe may have been given the plan's."""
    own = [play for play in plays if RECIPE_VARIABLE not in play.vars]
    in_plays = {name for play in own for name in play.vars if name.startswith(OF_SETTINGS)}
    for name in sorted({*in_plays, *api.extra_vars} - {*SETTINGS}):
        if name.startswith(OF_SETTINGS) and (near := _nearest(name, SETTINGS, OF_SETTINGS)):
            yield f"there is no setting {name}, did you mean {near}?"
    for name in sorted(in_plays.intersection(SETTINGS) - api.extra_vars.keys() - {TEST_ID}):
        yield f"no play sets this: give {name} as an extra var (-e), in the environment or in ansible.cfg"
