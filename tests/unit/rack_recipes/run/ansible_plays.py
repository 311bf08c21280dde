# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's own plays and tasks, with an inventory, as the callback is given them."""

from __future__ import annotations

from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.vars.manager import VariableManager

from rack_recipes.run.recorder.ansible_api import AnsibleApi, ansible_api_of

ABOUT = {"path": "r.yml", "digest": "sha256:0", "test_id": "T-1"}
GROUPS = {"all": ("r1", "r2", "r3"), "odd": ("r1", "r3"), "none": ()}


def task(number: int, *steps: dict[str, Any], action: str = "rack.recipes.stage") -> Task:
    made = Task()
    made._resolved_action = action
    made.args = {"number": number, "steps": [{"module": "gone", **step} for step in steps]}
    return made


def play(
    *tasks: Task,
    hosts: str = "all",
    only: tuple[str, ...] = ("all",),
    skip: tuple[str, ...] = (),
    about: dict[str, Any] | None = None,
    variables: VariableManager | None = None,
) -> Play:
    made = Play()
    block, inner = Block(play=made), Block(play=made)
    inner.block = [*tasks[1:]]
    block.block = [*tasks[:1], inner]
    for each in tasks:
        each._parent = block
    made.hosts = hosts
    made.tasks = [block]
    made.vars = {"rack_recipes_recipe": ABOUT if about is None else about}
    made.only_tags, made.skip_tags = frozenset(only), frozenset(skip)
    made._variable_manager = variables or an_inventory()
    return made


def an_inventory(**extra_vars: Any) -> VariableManager:
    inventory = InventoryManager(loader=DataLoader(), sources=None)
    inventory.add_group("rack")
    for name in GROUPS["all"]:
        inventory.add_host(name, group="rack")
    inventory.add_group("odd")
    for name in GROUPS["odd"]:
        inventory.add_host(name, group="odd")
    inventory.reconcile_inventory()
    made = VariableManager(loader=DataLoader(), inventory=inventory)
    made._extra_vars = extra_vars
    return made


def means(variables: VariableManager | None = None) -> AnsibleApi:
    return ansible_api_of(play(variables=variables))


class Playbook:
    """As much of Ansible's playbook as is asked for."""

    def __init__(self, *plays: Play) -> None:
        self.plays = plays

    def get_plays(self) -> list[Play]:
        return [*self.plays]
