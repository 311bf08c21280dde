# SPDX-License-Identifier: GPL-3.0-or-later

"""Contestants as people start them who have set no Python for their hosts: the same work by an inventory without it."""

from __future__ import annotations

import dataclasses
import json

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Command, Contestant, Job
from ansible_collections.rack.recipes.tests.bench.fleet.measuring.target_host_cpu import write_inventory

SETTING = "ansible_python_interpreter"


def unset(contestant: Contestant) -> Contestant:
    """The contestant whose Ansible has to find the Python of each host. It shares the other one's environment."""

    def prepare(job: Job) -> Command:
        hosts = json.loads(job.inventory.read_text())["all"]["hosts"]
        inventory = job.folder / "inventory-without-python.json"
        write_inventory(inventory, {name: _without(variables) for name, variables in hosts.items()})
        return contestant.prepare(dataclasses.replace(job, inventory=inventory))

    return dataclasses.replace(
        contestant,
        name=f"{contestant.name}-auto",
        title=f"{contestant.title}, no Python set",
        prepare=prepare,
        environment=contestant.name,
    )


def _without(variables: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in variables.items() if name != SETTING}
