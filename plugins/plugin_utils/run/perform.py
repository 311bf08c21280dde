# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage on one host, in Ansible's worker: ask the host, write down what it answers, sum up for Ansible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.module_utils.view import now
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import RUN_HOST, Run, current
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.remote import Remote, Unreachable
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request import (
    Request,
    Surroundings,
    make_request,
    stage_id,
)

Steps = Sequence[Mapping[str, Any]]
Record = dict[str, Any]

LOST = {
    "killed": "the executor was killed on the host before this step ended",
    "unknown": "the host does not know this stage any more: it rebooted, or its folder was removed",
    "refused": "the host cannot run a stage: {reason}",
    "silent": "{reason}",
}


def perform(action: ActionBase, number: int, steps: Steps, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Run the stage on the task's host; returns the task's result. Raises RackError where it cannot be tried."""
    run = current()
    host = RUN_HOST if steps[0].get("scope") == "run" else str(task_vars["inventory_hostname"])
    wanted = [step for step in steps if host in run.steps[step["name"]].hosts]
    chosen = [step for step in wanted if (step["name"], host) not in run.unselected]
    if not chosen:
        return {"skipped": True, "msg": f"no step of this stage is for {host or 'this run'}"}
    remote = Remote(action, task_vars, run.settings.reconnect_timeout)
    result = summary(_follow(run, remote, number, chosen, host))
    # The interpreter that Ansible found, for the next stage; the controller's would be taken for all hosts'.
    return {**result, "ansible_facts": remote.facts} if remote.facts and host != RUN_HOST else result


def _follow(run: Run, remote: Remote, number: int, steps: Steps, host: str) -> list[Record]:
    """Run the steps; every answer is in the journal before the next is asked for."""
    records: list[Record] = []
    lost = ("error", "")
    try:
        for answer in remote.stage(_request(run, number, steps, host)):
            append(run.path, answer.records)
            records += [record for record in answer.records if record["kind"] == "step"]
            if answer.state in LOST:
                lost = ("error", LOST[answer.state].format(reason=answer.reason))
    except Unreachable as error:
        lost = ("unreachable", str(error))
    except RackError as error:
        lost = ("error", str(error))
    there = {record["step"] for record in records}
    absent = [no_result(number, step["name"], host, *lost) for step in steps if step["name"] not in there]
    append(run.path, absent)
    return [*records, *absent]


def no_result(stage: int, step: str, host: str, verdict: str, reason: str) -> Record:
    """The record of a step that gave no result of its own."""
    head = {"kind": "step", "stage": stage, "n": 0, "host": host, "step": step}
    judged = {"verdict": verdict, "reason": reason, "started": now(), "seconds": 0.0}
    return {**head, **judged, "attempts": [], "measurements": []}


def _request(run: Run, number: int, steps: Steps, host: str) -> Request:
    names = {step["name"] for step in steps}
    needs = {name for step in steps for name in step.get("depends_on", ()) if name not in names}
    hosts = run.context.hosts() if host == RUN_HOST else []
    around = Surroundings(
        run_id=run.run_id,
        host=host,
        folders=tuple(Path(folder) for folder in run.settings.scriptlets),
        slots=run.settings.slots,
        lease=run.settings.reconnect_timeout,
        settled={name: run.verdict_of(name, host) for name in needs if _counts(run, name, host)},
        own=run.context.held(host),
        run=run.context.held(),
        hosts={name: run.context.held(name) for name in hosts if name},
        collected=tuple(stage_id(run.run_id, earlier, host) for earlier in range(1, number)),
    )
    return make_request(number, steps, around)


def _counts(run: Run, step: str, host: str) -> bool:
    """A step that was left out by its tags blocks nothing, as in any playbook."""
    return (step, host) not in run.unselected and (step, RUN_HOST) not in run.unselected


def summary(records: Iterable[Record]) -> dict[str, Any]:
    """What Ansible shows of a stage: each step with verdict, duration and reason; in `msg` what failed and why."""
    steps = list(records)
    bad = [step for step in steps if step["verdict"] not in PASSING]
    lines = [_line(step) for step in steps]
    result: dict[str, Any] = {"changed": False, "steps": lines, "_ansible_verbose_always": True}
    if not bad:
        seconds = sum(step["seconds"] for step in steps)
        return {**result, "msg": f"{_count(steps)} in {seconds:.3f} s"}
    first = next((step for step in bad if step["verdict"] != "blocked"), bad[0])
    reason = f"{first['step']} {first['verdict']}: {first['reason'] or 'no reason given'} ({_count(steps)})"
    kind = "unreachable" if first["verdict"] == "unreachable" else "failed"
    return {**result, "msg": reason, kind: True}


def _count(steps: Iterable[Record]) -> str:
    counts = Counter(step["verdict"] for step in steps)
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())


def _line(step: Record) -> str:
    reason = f"  {step['reason']}" if step["reason"] else ""
    return f"{step['verdict']:<11} {step['seconds']:8.3f} s  {step['step']}{reason}"
