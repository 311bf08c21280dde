# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of Ansible that a run needs when it begins, as functions.

And the variables of hosts as far as the inventory says them.

Ansible's own function for the variables of a host takes 0.6 ms even so. This one takes 0.02 ms: groups are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from ansible.inventory.helpers import sort_groups
from ansible.inventory.host import Host
from ansible.plugins.loader import connection_loader, shell_loader
from ansible.template import Templar, is_trusted_as_template
from ansible.utils.unsafe_proxy import wrap_var
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

from rack_recipes.plan.compile.action_names import RECIPE_VARIABLE
from rack_recipes.run.extra_vars import GIVEN
from rack_recipes.run.host.bypass_ansible_templating import TEMPLATE_MARKS
from rack_recipes.run.run_secrets import VaultValues, own_variables

if TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

Variables = dict[str, Any]
EVERY_HOST = frozenset(("all", "ungrouped"))  # groups that say nothing of a host


class InventoryVariables:
    """Reads them from the inventory's files and from `group_vars` and `host_vars` beside it and beside the playbook."""

    def __init__(self, inventory: Any, loader: DataLoader) -> None:
        self._inventory, self._loader = inventory, loader
        self._of_groups: dict[tuple[str, ...], Variables] = {}

    def of(self, name: str) -> Variables:
        """The variables of a host, templates not filled in, in Ansible's default order; empty for an unknown host."""
        host = self._inventory.get_host(name)
        if host is None:
            return {}
        return {**self._of(sort_groups(host.get_groups())), **host.get_vars(), **self._of_files([host])}

    def groups(self, name: str) -> list[str]:
        """The names of the host's groups, sorted, without those that every host has."""
        host = self._inventory.get_host(name)
        return sorted(group.name for group in host.get_groups() if group.name not in EVERY_HOST) if host else []

    def _of(self, groups: Sequence[Any]) -> Variables:
        """The variables of these groups; hosts with the same groups share them."""
        key = tuple(group.name for group in groups)
        if key not in self._of_groups:
            own = [group.get_vars() for group in groups]
            from_files = [self._of_files([group]) for group in groups]
            self._of_groups[key] = {name: value for each in (*own, *from_files) for name, value in each.items()}
        return self._of_groups[key]

    def _of_files(self, entities: Sequence[Any]) -> Variables:
        sources = get_vars_from_inventory_sources(self._loader, self._inventory._sources, entities, "task")
        return {**sources, **get_vars_from_path(self._loader, self._loader.get_basedir(), entities, "task")}


HOST_NAMES = {"_hosts", "_hosts_all"}  # arguments of Ansible's own, which a release may drop
Resolve = Callable[[Any], Sequence[str]]


@dataclass(frozen=True, slots=True)
class AnsibleApi:
    """Functions of the play that starts, and its extra vars.

    `resolve` returns the names of the hosts of this run that match a pattern, `resolve_whole` those of the whole
    inventory, whatever --limit says; `groups` are the names of its groups. `fill` fills in a template with the
    variables of the play, or with those that it is given.
    `vaulted` returns, by host, the texts of its variables that came out of a vault, and why some may be missing. It has
    the hosts that it is given and all others of the inventory, whose values a template can bring in.
    `is_only_group` tells whether a name is that of a group and of no host.
    `vars_of` returns all variables of a host in a play, which takes a millisecond. The names of the play's hosts may be
    given; otherwise Ansible finds them anew for each host, which takes another millisecond for a hundred hosts.
    `vars_of_task` returns those that a task has on any host: of its play, its roles, its blocks and the command line.
    `inventory` has the variables of hosts as far as the inventory says them, which takes 0.02 ms a host.
    `is_vaulted` tells whether a value, or a part of it, came out of a vault.
    """

    extra_vars: Mapping[str, Any]
    resolve: Resolve
    fill: Callable[..., Any]
    vaulted: Callable[[Iterable[str]], tuple[Mapping[str, Sequence[str]], str]] = lambda _hosts: ({}, "")
    is_only_group: Callable[[str], bool] = lambda _name: False
    vars_of: Callable[..., Mapping[str, Any]] = lambda _host, _play, _hosts=None: {}
    inventory: InventoryVariables | None = None
    is_vaulted: Callable[[Any], bool] = lambda _value: False
    resolve_whole: Resolve = lambda _pattern: ()
    groups: Sequence[str] = ()
    vars_of_task: Callable[[Play, Task], Mapping[str, Any]] = lambda _play, _task: {}


def ansible_api_of(play: Play) -> AnsibleApi:
    """The functions of a play that starts."""
    variables = play.get_variable_manager()

    def fill(value: object, known: Mapping[str, Any] | None = None) -> Any:
        known = variables.get_vars(play=play) if known is None else known
        return Templar(loader=play.get_loader(), variables=known).template(value)

    def resolve(pattern: object, *, ignore_limits: bool = False) -> list[str]:
        """The hosts of all batches; Ansible restricts its inventory to the batch that starts."""
        filled = fill(pattern) if "{{" in str(pattern) else pattern
        found = variables._inventory.get_hosts(filled, ignore_limits=ignore_limits, ignore_restrictions=True)
        return [host.name for host in found]

    def vaulted(hosts: Iterable[str]) -> tuple[dict[str, list[str]], str]:
        vault = VaultValues(play.get_loader())
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys((*hosts, *variables._inventory.hosts)) if vault.is_open else ():
            host = variables._inventory.get_host(name)
            own = variables.get_vars(play=play, host=host, include_hostvars=False)
            found[name] = vault.values_in(own_variables(own))
        return found, vault.problem

    def vars_of(name: str, of_play: Play, hosts: Sequence[str] | None = None) -> Mapping[str, Any]:
        host = variables._inventory.get_host(name) or Host(name)  # Ansible also accepts a host that is in no inventory
        known = (
            {} if hosts is None else dict.fromkeys(HOST_NAMES & signature(variables.get_vars).parameters.keys(), hosts)
        )
        found: Mapping[str, Any] = variables.get_vars(play=of_play, host=host, **known)
        return found

    def is_only_group(name: str) -> bool:
        return name in variables._inventory.groups and name not in variables._inventory.hosts

    def vars_of_task(of_play: Play, task: Task) -> Mapping[str, Any]:
        found: Mapping[str, Any] = variables.get_vars(play=of_play, task=task, include_hostvars=False)
        return found

    inventory = InventoryVariables(variables._inventory, variables._loader)
    is_vaulted = VaultValues(play.get_loader()).is_vaulted
    whole = partial(resolve, ignore_limits=True)
    return AnsibleApi(
        variables.extra_vars,
        resolve,
        fill,
        vaulted,
        is_only_group,
        vars_of,
        inventory,
        is_vaulted,
        whole,
        [*variables._inventory.groups],
        vars_of_task,
    )


def make_params_data(plays: Iterable[Play]) -> tuple[str, ...]:
    """Have Ansible take the values of the recipe's parameters for data: it takes each extra var for a template.

    To be called before any play starts, since a play's hosts are filled in first. Returns the names of those that look
    like a template, which nobody fills in.
    """
    found: dict[str, None] = {}
    for play in plays:
        extra_vars = play.get_variable_manager().extra_vars
        for name in {GIVEN, *((play.vars.get(RECIPE_VARIABLE) or {}).get("params") or {})} & extra_vars.keys():
            value = extra_vars[name]
            parts = value if name == GIVEN and isinstance(value, Mapping) else {name: value}
            found |= dict.fromkeys(part for part, each in parts.items() if _has_template(each))
            extra_vars[name] = wrap_var(value)
    return tuple(found)


def _has_template(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_template, (*value, *value.values())))
    if isinstance(value, (list, tuple)):
        return any(map(_has_template, value))
    return is_trusted_as_template(value) and any(opening in value for opening in TEMPLATE_MARKS)


def fill_caches() -> None:
    """Have Ansible look up here, once, what each worker would look up anew: 2 ms of CPU a host.

    That is where its plugins are, and which fields a result has.
    """
    connection_loader.find_plugin("ssh")
    shell_loader.find_plugin("sh")
    with suppress(ImportError, AttributeError, TypeError):  # other releases have other private names
        from ansible._internal._task import UnifiedTaskResult

        for is_module in (False, True):
            UnifiedTaskResult.get_result_key_to_resolved_field_mapping(source_is_module=is_module)
