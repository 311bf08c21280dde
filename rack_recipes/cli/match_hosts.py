# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that finds the hosts of Ansible's inventory that match patterns, and the network devices among them.

It reads JSON on stdin and writes JSON. It has no password of a vault: values that are encrypted stay so.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager, split_host_pattern
from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import connection_loader, init_plugin_loader
from ansible.utils.vars import combine_vars
from ansible.vars.manager import VariableManager
from ansible.vars.plugins import get_vars_from_inventory_sources

from rack_recipes.run.delegates import starts_programs
from rack_recipes.run.unmatched_hosts import hosts_left_out, no_canary

INTERNAL = frozenset(constants.INTERNAL_STATIC_VARS)  # what Ansible says of each host itself
VAULT = b"$ANSIBLE_VAULT"
UNREADABLE = "the inventory cannot be read: {}"
ENCRYPTED = "{} is encrypted; only the run itself asks for the vault password"

WHOLE_VAULT = (
    "a file of variables beside it is encrypted as a whole, and would be plain text in the parts: encrypt its values "
    "one by one (ansible-vault encrypt_string), which stay encrypted"
)


def answer(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the hosts of each pattern and the connection of each network device, or why there are none.

    A `problem` says why only the run can know them, a `refusal` why the run cannot know them either.
    """
    try:
        init_plugin_loader()
        sources = wanted["sources"] or configured() or ["localhost,"]
        encrypted = next(filter(is_encrypted, filter(os.path.isfile, sources)), None)
        if encrypted:
            return {"problem": UNREADABLE.format(ENCRYPTED.format(encrypted))}
        inventory = InventoryManager(DataLoader(), sources)
        whole = [host.name for host in inventory.get_hosts()]
        inventory.subset(wanted["limit"])
        found = {pattern: [host.name for host in inventory.get_hosts(pattern)] for pattern in wanted["patterns"]}
    except AnsibleError as error:
        return {"refusal": UNREADABLE.format(error)}
    answered: dict[str, Any] = {"hosts": found, "whole": whole, "groups": [*inventory.groups]}
    if recipes := wanted.get("recipes"):
        answered["elsewhere"] = [*elsewhere(inventory, recipes)]
    if wanted.get("inventory"):
        try:
            answered["inventory"] = exported(inventory, wanted["patterns"])
        except AnsibleError as error:
            return {"refusal": UNREADABLE.format(WHOLE_VAULT if "vault" in str(error) else error)}
    with suppress(AnsibleError):  # variables may be in a vault, whose password only the run asks for
        answered["devices"] = dict(devices(inventory))
        if names := wanted.get("variables"):
            answered["variables"] = dict(plain_variables(inventory, names))
    return answered


def elsewhere(inventory: InventoryManager, recipes: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield for each recipe what the hosts of its steps and its canary name beside its own.

    This inventory may know none of them. The canary has the name "".
    """
    constants.HOST_PATTERN_MISMATCH = "ignore"  # each of them is told by the step that it belongs to

    def resolve(pattern: str) -> list[str]:
        return [host.name for host in inventory.get_hosts(pattern, ignore_limits=True)]

    groups = [*inventory.groups]
    for recipe in recipes:
        own, canary = resolve(recipe["hosts"]), recipe["canary"]
        steps = {name: split_host_pattern(pattern) for name, pattern in recipe["steps"].items()}
        found = hosts_left_out(steps, own, resolve, groups) if own else {}
        why = no_canary(canary, resolve(canary), own, groups) if own and canary else ""
        yield {**found, **({"": why} if why else {})}


def exported(inventory: InventoryManager, patterns: list[str]) -> dict[str, Any]:
    """Return all groups and hosts with their own variables, as `ansible-inventory --list --export` does.

    `matched` are the hosts of each pattern, whatever --limit says, `sources` the files and folders that were read,
    `extensions` those of files of variables.
    """
    there = {source: str(Path(source).absolute()) for source in filter(os.path.exists, inventory._sources)}
    sources = [there.get(source, source) for source in inventory._sources]  # a list of hosts is no path

    def variables(of: Any) -> dict[str, Any]:
        # also those in the files of group_vars and host_vars beside the inventory; Ansible finds no relative ones
        beside = get_vars_from_inventory_sources(inventory._loader, sources, [of], "all")
        return {name: value for name, value in combine_vars(of.vars, beside).items() if name not in INTERNAL}

    groups = {
        group.name: {
            "vars": variables(group) | ({"ansible_group_priority": group.priority} if group.priority != 1 else {}),
            "hosts": [host.name for host in group.hosts],
            "children": [child.name for child in group.child_groups],
        }
        for group in inventory.groups.values()
    }
    inventory.subset(None)
    return {
        "sources": [*there.values()],
        "extensions": [*constants.YAML_FILENAME_EXTENSIONS],
        "groups": groups,
        "hosts": {host.name: variables(host) for host in inventory.get_hosts()},
        "matched": {pattern: [host.name for host in inventory.get_hosts(pattern)] for pattern in patterns},
    }


def devices(inventory: InventoryManager) -> Iterator[tuple[str, str]]:
    """Yield the hosts whose connection starts no programs on them, with the name of the connection.

    A connection whose name is a template is not known before the run.
    """
    variables = VariableManager(loader=inventory._loader, inventory=inventory)
    for host in inventory.get_hosts():
        given = variables.get_vars(host=host, include_hostvars=False)
        name = str(given.get("ansible_connection") or "")
        if name and is_for_devices(name):
            yield host.name, name


def plain_variables(inventory: InventoryManager, names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the hosts with those of these variables that no template has to fill in."""
    variables = VariableManager(loader=inventory._loader, inventory=inventory)
    for host in inventory.get_hosts():
        given = variables.get_vars(host=host, include_hostvars=False)
        yield host.name, {name: given[name] for name in names if name in given and "{{" not in str(given[name])}


@cache
def is_for_devices(name: str) -> bool:
    """Whether a connection starts no programs on its host."""
    return not starts_programs(connection_loader.get(name, class_only=True))


def is_encrypted(path: str) -> bool:
    """Whether a source is encrypted, so that only the run can read it."""
    return Path(path).read_bytes().startswith(VAULT)


def configured() -> list[str]:
    """Return Ansible's own setting of the inventory, an empty list if nobody has set it."""
    value, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    return [] if origin == "default" else list(value)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin)), cls=AnsibleJSONEncoder))
