# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage on one host, in Ansible's worker: ask the host, write down what it answers, sum up for Ansible."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import RECIPE, RUN_HOST, Run, current
from ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.locks import Resource, holding, resources
from ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.part import Locks, Part, Steps, request_of
from ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.result import Record, no_result, summary
from ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.settle import startable
from ansible_collections.rack.recipes.plugins.plugin_utils.run.reusing.collect import collect
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.answer import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.remote import Remote, Unreachable

LOST = {
    "killed": "the executor was killed on the host before this step ended",
    "unknown": "the host does not know this stage any more: it rebooted, or its folder was removed",
    "refused": "the host cannot run a stage: {reason}",
    "silent": "{reason}",
}


def perform(
    action: ActionBase, number: int, steps: Steps, locks: Locks, task_vars: Mapping[str, Any]
) -> dict[str, Any]:
    """Run the stage on the task's host; returns the task's result. Raises RackError where it cannot be tried."""
    run = current()
    _check(run, task_vars)
    host = RUN_HOST if steps[0].get("scope") == "run" else str(task_vars["inventory_hostname"])
    chosen = [step for step in steps if host in run.steps[step["name"]].hosts and step["name"] not in run.left_out]
    if not chosen:
        return {"skipped": True, "msg": f"no step of this stage is for {host or 'this run'}"}
    part = Part(run, number, host, chosen, locks, action, task_vars)
    remote = Remote(action, task_vars, run.settings.reconnect_timeout)
    result = summary(_records(part, remote))
    # The interpreter that Ansible found, for the next stage; the controller's would be taken for all hosts'.
    return {**result, "ansible_facts": remote.facts} if remote.facts and host != RUN_HOST else result


def _check(run: Run, task_vars: Mapping[str, Any]) -> None:
    """Playbooks may be imported into one another, but a run is of one recipe."""
    recipe = task_vars.get(RECIPE) or {}
    if recipe.get("digest") != run.given.recipe.get("digest"):
        path = run.given.recipe.get("path")
        raise UsageError(f"one ansible-playbook runs one recipe, which is {path}, and this is {recipe.get('path')}")


def _records(part: Part, remote: Remote) -> list[Record]:
    """The step records of this stage; every answer is in the journal before the next is asked for."""
    path = part.run.path
    records: list[Record] = []
    lost = ("error", "")
    try:
        for answer in _answers(part, remote):
            append(path, answer.records)
            records += [record for record in answer.records if record["kind"] == "step"]
            if answer.state in LOST:
                lost = ("error", LOST[answer.state].format(reason=answer.reason))
    except Unreachable as error:
        lost = ("unreachable", str(error))
    except RackError as error:
        lost = ("error", str(error))
    there = {record["step"] for record in records}
    absent = [_absent(part, step, *lost) for step in part.steps if step["name"] not in there]
    append(path, absent)
    return [*records, *absent]


def _absent(part: Part, step: Mapping[str, Any], verdict: str, reason: str) -> Record:
    blocks = not step.get("continue_on_fail")
    told = part.run.given.mask.mask(reason)  # an argument that is wrong is told as it is
    return no_result(part.number, step["name"], part.host, verdict, told, blocks=blocks)


def _answers(part: Part, remote: Remote) -> Iterator[Answer]:
    """Ask the host, or for a module of Ansible's the executor in this process, with the locks that this takes."""
    run = part.run
    with holding(_resources(part), run.folder / "locks", _patience(os.getppid())):
        if part.is_module:
            yield _ask_here(part)
            return
        if run.reusable.earlier is not None:
            names = [step["name"] for step in part.steps]
            collect(run.reusable.earlier, remote, names, part.host, run.settings.reconnect_timeout)
        yield from remote.stage(request_of(part, None))


def _resources(part: Part) -> list[Resource]:
    if not part.locks:
        return []
    return resources(part.locks, startable(part.run, part.steps, part.host), part.host, part.variable)


def _ask_here(part: Part) -> Answer:
    """Only steps that are modules of Ansible's pay for the import."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.module import as_module, perform_module

    program = as_module(part.action, part.task_vars, secret=bool(part.run.given.secrets))
    return perform_module(request_of(part, program), part.run, check=part.is_check)


def _patience(parent: int) -> Callable[[float], None]:
    """Sleeps for a while, but not for ever: a worker outlives a killed main process."""

    def wait(seconds: float) -> None:
        if os.getppid() != parent:
            raise Unreachable("the controlling process is gone")
        time.sleep(seconds)

    return wait
