# SPDX-License-Identifier: GPL-3.0-or-later

"""On which hosts a recipe has to run where only some of its tests are selected."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from rack_recipes.plan.dependency_graph import with_needed
from rack_recipes.plan.plan_model import Plan
from rack_recipes.recipe.recipe_model import Step

HostsOfSteps = Mapping[str, Collection[str]]
PLAIN = re.compile(r"[\w.-]+")  # Ansible reads other characters as a pattern


def enough_hosts(plan: Plan, hosts: HostsOfSteps, wanted: Mapping[str, Collection[str]]) -> list[str]:
    """The hosts of the wanted results, if these come out the same without the other hosts; else none.

    `hosts` are those of each step in a whole run, `wanted` those of each step with a wanted result. A result may be
    another one without the other hosts where a step of the run, between hosts or on the live bus is needed, where a
    step waits for other hosts or reads their keys, and with a canary or a policy by which writes are merged.
    """
    steps = {step.name: step for step in plan.steps}
    needed = with_needed(wanted, {name: step.depends_on for name, step in steps.items()})
    chosen = {host for of_step in wanted.values() for host in of_step}
    alone = not (plan.recipe.canary or plan.recipe.merge) and all(map(PLAIN.fullmatch, chosen))
    if alone and all(_is_local(steps[name], hosts, chosen) for name in needed):
        return sorted(chosen)
    return []


def _is_local(step: Step, hosts: HostsOfSteps, chosen: Collection[str]) -> bool:
    """Whether on the chosen hosts nothing of the step comes from another host."""
    if step.runs_once or step.keys.elsewhere or (step.entry and step.entry.live):
        return False
    own = {host for host in hosts[step.name] if host in chosen}
    return all(not needed.is_wide and own <= {*hosts[needed.step]} for needed in step.depends_on)
