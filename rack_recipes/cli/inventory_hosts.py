# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks Ansible's inventory for the hosts of a run; no host is contacted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rack_recipes.recipe.param_values import is_open
from rack_recipes.recipe.recipe_model import Recipe
from rack_recipes.run.launcher.ansible_playbook import ansible_environment
from rack_recipes.run.start_python import PYTHON

CANARY = ""  # stands for the canary of a recipe among the names of its steps
PROGRAM = Path(__file__).with_name("match_hosts.py")


@dataclass(frozen=True, slots=True)
class InventoryHosts:
    """The host names of each pattern, or why there are none. `devices` has the connections of network devices.

    `whole` are all hosts, whatever --limit says, `groups` the names of all groups. `variables` has by host those that
    were asked for, without templates. `inventory` has all groups and hosts with their own variables, where that was
    asked for. `elsewhere` has for each recipe, by step, what its hosts name beside the recipe's, and why its canary is
    none of these. `problem` says why they are not known here, `refusal` why the run would have none either.
    """

    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    whole: Sequence[str] = ()
    groups: Sequence[str] = ()
    variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inventory: Mapping[str, Any] = field(default_factory=dict)
    elsewhere: Sequence[Mapping[str, str]] = ()
    problem: str = ""
    refusal: str = ""

    def of(self, pattern: str) -> tuple[str, ...]:
        """Return the hosts of a pattern, none for a pattern that was not asked for."""
        return self.hosts.get(pattern, ())

    def of_step(self, recipe: str, own: str | None) -> tuple[str, ...]:
        """Return the hosts of a step by the pattern of its recipe and its own one: a recipe runs on no others."""
        everywhere = self.of(recipe)
        if own is None:
            return everywhere
        named = {*self.of(own)}
        return tuple(host for host in everywhere if host in named)


def inventory_hosts(inventories: Sequence[str], limit: str | None, patterns: Iterable[str]) -> InventoryHosts:
    """Return the hosts of patterns in inventories under --limit; without an inventory it is this machine."""
    with asking_for_hosts(inventories, limit, patterns) as answer:
        return answer()


@contextmanager
def asking_for_hosts(
    inventories: Sequence[str],
    limit: str | None,
    patterns: Iterable[str],
    variables: Iterable[str] = (),
    *,
    recipes: Sequence[Recipe] = (),
    inventory: bool = False,
) -> Iterator[Callable[[], InventoryHosts]]:
    """Ask for the hosts as `inventory_hosts` does; the function that is yielded waits for the answer.

    A process of its own finds them, because Ansible changes how Python imports collections. It imports Ansible before
    it reads what is asked.
    """
    wanted = {
        "sources": [*inventories],
        "limit": limit,
        "patterns": sorted({*patterns}),
        "variables": [*variables],
        "inventory": inventory,
        "recipes": [*map(_hosts_in, recipes)],
    }
    with subprocess.Popen(
        [*PYTHON, str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ansible_environment("", inventories),
        text=True,
    ) as process:
        try:
            yield lambda: _answer(process, *process.communicate(json.dumps(wanted)))
        finally:
            if process.returncode is None:
                _kill(process.pid)
                process.wait()


def _hosts_in(recipe: Recipe) -> dict[str, Any]:
    """The hosts of a recipe, of its steps and its canary; those of templates are known only to the run."""
    named = {step.name: step.hosts for step in recipe.steps} | {CANARY: recipe.canary and recipe.canary.hosts}
    known = {} if is_open(recipe.hosts) else {name: text for name, text in named.items() if text and not is_open(text)}
    return {"hosts": recipe.hosts, "canary": known.pop(CANARY, ""), "steps": known}


def _kill(pid: int) -> None:
    """Kill a process, and the scripts of an inventory that it waits for."""
    import psutil

    process = psutil.Process(pid)
    for each in (*process.children(recursive=True), process):
        with suppress(psutil.NoSuchProcess):
            each.kill()


def _answer(process: subprocess.Popen[str], said: str, warnings: str) -> InventoryHosts:
    if process.returncode:
        last = warnings.strip().rpartition("\n")[2] or f"the process that reads it ended with {process.returncode}"
        return InventoryHosts(problem=f"the inventory cannot be read: {last}")
    sys.stderr.write(warnings)
    answer = json.loads(said)
    hosts = {pattern: tuple(names) for pattern, names in answer.pop("hosts", {}).items()}
    return InventoryHosts(hosts, **answer)
