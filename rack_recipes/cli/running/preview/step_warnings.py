# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the steps of a plan that may not run as they stand, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import lets_start
from rack_recipes.cli.running.preview.inventory_hosts import InventoryHosts
from rack_recipes.cli.running.preview.stored_history import Results, StoredHistory
from rack_recipes.cli.running.read_run_options import PreparedRun
from rack_recipes.plan.plan_model import Plan, PlannedStep
from rack_recipes.recipe.param_values import is_open
from rack_recipes.recipe.recipe_model import Dependency
from rack_recipes.run.delegates import needs_delegate
from rack_recipes.run.earlier_run import EarlierRun, with_dependents
from rack_recipes.run.run_folders import journal_of
from rack_recipes.run.stage.host_request import ANSIBLE

EVERY_HOST = ("", "all")
SKIPPED, BLOCKED = "skipped", "blocked"

Hosts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class StepWarning:
    """A step, what may happen instead of running it, and why."""

    step: str
    what: str
    why: str


def warnings_of(
    plan: Plan,
    hosts: Hosts,
    found: InventoryHosts,
    history: StoredHistory,
    prepared: PreparedRun,
    *,
    is_check: bool = False,
) -> Iterator[StepWarning]:
    """Yield the warnings in the order of the steps. `is_check` says that the run would be in check mode."""
    out = _left_out(plan, hosts, found, is_check=is_check)
    earlier = _earlier(plan, prepared)
    for planned in plan.steps:
        name = planned.step.name
        if name in out:
            yield out[name]
            continue
        yield from _without_place(planned, hosts[name], found)
        if planned.step.when is False:
            yield StepWarning(name, SKIPPED, "when: false")
        elif planned.step.when is not True:
            yield StepWarning(name, "may be skipped", "its `when` is decided while it runs")
        if planned.step.always:  # closing steps never reuse a result
            continue
        if earlier is not None:
            yield from _reused(name, hosts[name], earlier)
        if planned.step.cache_key is not None:
            yield _cached(name, planned.step.cache_key.key, hosts[name], history.cached.get(name, ()))


def _without_place(planned: PlannedStep, hosts: Sequence[str], found: InventoryHosts) -> Iterator[StepWarning]:
    """Yield a warning for a scriptlet on network devices, for which Ansible would run it on the controller."""
    step = planned.step
    devices = [host for host in hosts if host in found.devices]
    if devices and not (step.type == ANSIBLE or step.delegate_to):
        connections = ", ".join(dict.fromkeys(found.devices[host] for host in devices))
        yield StepWarning(step.name, f"is an error{_on(devices, hosts)}", needs_delegate(connections))


def _left_out(plan: Plan, hosts: Hosts, found: InventoryHosts, *, is_check: bool) -> dict[str, StepWarning]:
    """Return the steps that are skipped by the user, or blocked by skipped steps or missing hosts, by name."""
    out: dict[str, StepWarning] = {}
    blocking: set[str] = set()
    for planned in plan.steps:
        name = planned.step.name
        cause = next((need.step for need in planned.depends_on if need.step in blocking), None)
        if planned.skip:
            out[name] = StepWarning(name, SKIPPED, planned.skip)
        elif cause is not None and not planned.step.always:
            out[name] = StepWarning(name, BLOCKED, f"it needs {cause}, which is {out[cause].what}")
        elif (why := next(_unmet_dependencies(planned.depends_on, hosts, found), "")) and not planned.step.always:
            out[name] = StepWarning(name, BLOCKED, f"it needs {why}")
        fields = {"continue_on_fail": planned.step.continue_on_fail}
        if name in out and not lets_start(fields, out[name].what, is_check=is_check):
            blocking.add(name)
    return out


def _unmet_dependencies(needs: Sequence[Dependency], hosts: Hosts, found: InventoryHosts) -> Iterator[str]:
    """Yield why dependencies cannot be met by the hosts here, in the words of the run.

    A step without hosts blocks nothing.
    """
    for need in needs:
        places = hosts[need.step]
        if not (need.is_wide and places) or is_open(need.hosts):
            continue
        chosen = [host for host in places if need.hosts in EVERY_HOST or host in found.of(need.hosts)]
        if reason := need.too_few(len(chosen)):
            yield f"{need.label}: {reason}"


def _earlier(plan: Plan, prepared: PreparedRun) -> EarlierRun | None:
    """Return the run whose results are reused, None if there is none."""
    if prepared.earlier is None:
        return None
    needs = {planned.step.name: [need.step for need in planned.depends_on] for planned in plan.steps}
    anew = with_dependents(prepared.resume_from, needs) if prepared.resume_from else ()
    earlier = EarlierRun(journal_of(Path(prepared.settings.runs), prepared.earlier.run_id), anew)
    earlier.catch_up()
    return earlier


def _reused(name: str, hosts: Sequence[str], earlier: EarlierRun) -> Iterator[StepWarning]:
    offered = [host for host in hosts if earlier.offer(name, host)]
    if offered:
        yield StepWarning(
            name, "may be reused", f"it passed in {earlier.run_id}{_on(offered, hosts)}, if its inputs are the same"
        )


def _cached(name: str, key: str, hosts: Sequence[str], results: Results) -> StepWarning:
    there = {result["host"]: result["run"] for result in reversed(results)}
    offered = [host for host in hosts if host in there]
    if not offered:
        return StepWarning(name, "runs", f"nothing that may be used is cached under {key!r}")
    runs = ", ".join(dict.fromkeys(there[host] for host in offered))
    return StepWarning(
        name, "may be cached", f"{key!r} has results of {runs}{_on(offered, hosts)}, if its inputs are the same"
    )


def _on(offered: Sequence[str], hosts: Sequence[str]) -> str:
    return "" if len(offered) == len(hosts) else f" on {len(offered)} of {len(hosts)} hosts"
