# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a stage on all of its hosts in one worker, and sum up for Ansible, which gets one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.journal.step_results_and_end_status import counts_in_words
from rack_recipes.run.current_run import current
from rack_recipes.run.host.find_python import FACT
from rack_recipes.run.host.host_threads import HostThreads
from rack_recipes.run.host.run_ansible_task import task_runner
from rack_recipes.run.missing_results_and_artifacts import NOT_PASSED, PYTHONS, UNRECORDED
from rack_recipes.run.open_files import connections_within

BAD = ("failed", "unreachable")
KINDS = ("skipped", "unreachable", "failed")  # where a result has several, the first one is meant
SHOWN = 5  # hosts in the message
FEW_FILES = "the limit of open files (ulimit -Hn) leaves room for {number} connections at a time, not for {wanted}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Ansible is told of the result of one host. A whole result has a line for each step of each of them.

    `text` says why it did not pass, `python` is the path of the Python that was found on it, `unrecorded` why its
    results could not be written down.
    """

    kind: str
    text: str = ""
    python: str = ""
    warnings: tuple[str, ...] = ()
    unrecorded: str = ""


def outcome_of(result: Mapping[str, Any]) -> Outcome:
    """What of the result of a host's task is kept."""
    kind = next((kind for kind in KINDS if result.get(kind)), "passed")
    text = str(result.get("msg", ""))
    python = str((result.get("ansible_facts") or {}).get(FACT) or "")
    is_unrecorded = bool(result.get(UNRECORDED))
    warnings = tuple(map(_warning, result.get("warnings") or ()))
    return Outcome(kind, text if kind in BAD else "", python, warnings, text if is_unrecorded else "")


def _warning(told: object) -> str:
    """The text of a warning, which Ansible's own ones have within."""
    return str(getattr(getattr(told, "event", None), "msg", told))


def run_on_hosts(action: ActionBase, number: int, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Run the stage on each host of the task's play that it is for; returns the task's result.

    To be called by a stage action whose task Ansible runs once. At most as many hosts are waited for at a time as
    Ansible would fork processes.
    """
    run, batch = current(), task_vars["ansible_play_batch"]
    steps = [step for step in run.steps.values() if step.stage == number and step.name not in run.left_out]
    planned = {host for step in steps for host in step.hosts}
    hosts = [host for host in batch if host in planned]
    if not hosts:
        return {"skipped": True, "msg": "no step of this stage is for a host of this play"}
    wanted = min(len(hosts), max(1, int(context.CLIARGS.get("forks") or 1)))
    threads = HostThreads(connections_within(wanted))
    if threads.connections < wanted:
        threads.warnings.append(FEW_FILES.format(number=threads.connections, wanted=wanted))
    run_task = task_runner(run.together[action._task._uuid], run.play, task_vars, batch)
    found = summarise(threads.run(hosts, lambda host: outcome_of(run_task(host))))
    return {**found, "warnings": [*found.get("warnings", ()), *threads.warnings]} if threads.warnings else found


def summarise(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """One result of those of many hosts, which has failed where one of these has. The message names them."""
    bad = {host: outcome.text for host, outcome in outcomes.items() if outcome.kind in BAD}
    count = counts_in_words(Counter(outcome.kind for outcome in outcomes.values()))
    named = first_few([f"{host}: {message}" for host, message in bad.items()], SHOWN)
    pythons: dict[str, list[str]] = {}
    for host, outcome in outcomes.items():
        if outcome.python:
            pythons.setdefault(outcome.python, []).append(host)
    warned = [(host, text) for host, outcome in outcomes.items() for text in outcome.warnings]
    warnings = [text if f"'{host}'" in text else f"{host}: {text}" for host, text in warned]
    unrecorded = next((outcome.unrecorded for outcome in outcomes.values() if outcome.unrecorded), "")
    return {
        "changed": False,
        "msg": f"{len(outcomes)} hosts: {count}{f' ({named})' if named else ''}",
        **({"failed": True, NOT_PASSED: bad} if bad else {}),
        **({PYTHONS: pythons} if pythons else {}),
        **({"warnings": warnings} if warnings else {}),
        **({"failed": True, "msg": unrecorded, UNRECORDED: True} if unrecorded else {}),
        "_ansible_verbose_always": bool(bad),
    }
