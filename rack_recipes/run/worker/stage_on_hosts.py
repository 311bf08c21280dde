# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a stage on all of its hosts in one worker, and sum up for Ansible, which gets one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.run.current_run import current
from rack_recipes.run.missing_results_and_artifacts import NOT_PASSED, PYTHONS, UNRECORDED
from rack_recipes.run.stage.find_python import FACT
from rack_recipes.run.stage.host_threads import HostThreads
from rack_recipes.run.stage.run_ansible_task import task_runner

BAD = ("failed", "unreachable")
KINDS = ("passed", *BAD, "skipped")
SHOWN = 5  # hosts in the message

Results = Mapping[str, Mapping[str, Any]]


def run_on_hosts(action: ActionBase, number: int, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Run the stage on each host of the task's play that it is for; returns the task's result.

    To be called by a stage action whose task Ansible runs once. At most as many hosts are waited for at a time as
    Ansible would fork processes.
    """
    run, batch = current(), task_vars["ansible_play_batch"]
    steps = [step for step in run.steps.values() if step.stage == number and step.name not in run.left_out]
    planned = {host for step in steps for host in step.hosts}
    threads = HostThreads(max(1, int(context.CLIARGS.get("forks") or 1)))
    hosts = [host for host in batch if host in planned]
    if not hosts:
        return {"skipped": True, "msg": "no step of this stage is for a host of this play"}
    return summarise(threads.run(hosts, task_runner(run.together[action._task._uuid], run.play, task_vars, batch)))


def summarise(results: Results) -> dict[str, Any]:
    """One result of those of many hosts. It has not failed where one of these has: Ansible would name another host."""
    bad = {host: str(result.get("msg", "")) for host, result in results.items() if _kind(result) in BAD}
    counts = Counter(map(_kind, results.values()))
    count = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    named = first_few([f"{host}: {message}" for host, message in bad.items()], SHOWN)
    pythons: dict[str, list[str]] = {}
    for host, result in results.items():
        if python := (result.get("ansible_facts") or {}).get(FACT):
            pythons.setdefault(str(python), []).append(host)
    warnings = [f"{host}: {text}" for host, result in results.items() for text in result.get("warnings") or ()]
    unrecorded = next((result for result in results.values() if result.get(UNRECORDED)), {})
    return {
        "changed": False,
        "msg": f"{len(results)} hosts: {count}{f' ({named})' if named else ''}",
        **({NOT_PASSED: bad} if bad else {}),
        **({PYTHONS: pythons} if pythons else {}),
        **({"warnings": warnings} if warnings else {}),
        **({"failed": True, "msg": unrecorded["msg"], UNRECORDED: True} if unrecorded else {}),
        "_ansible_verbose_always": bool(bad),
    }


def _kind(result: Mapping[str, Any]) -> str:
    return next((kind for kind in reversed(KINDS) if result.get(kind)), "passed")
