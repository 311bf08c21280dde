# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage on one host, in Ansible's worker: ask the host, write down what it answers, sum up for Ansible."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.context_values import as_reason
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError, RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append, insist
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import RUN_HOST, Run, current
from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrets.secret_registry import NOT_SHARED
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.collect_earlier_stage import collect
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.host_secrets import has_secrets
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.host_stage import (
    HostStage,
    Locks,
    Steps,
    request_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.readiness import excluded, startable
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.resource_locks import (
    Resource,
    holding_locks,
    resources,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.stage_result import Record, no_result, summary
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_answer import HostAnswer
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_clock import clock_record
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.remote_executor import RemoteExecutor, Unreachable
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.request import stage_id
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.templating import filled
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.worker_stop import WorkerStop

UNPLANNED = (
    "its stage was not planned when the run began: what is included while a playbook runs, or stands under `rescue`, "
    "comes too late; `import_tasks`, `import_role` and `roles` do not"
)
UNRECORDED = "rack_recipes_unrecorded"  # of a task's result: what came of it is not in the journal
LOST = {
    "killed": "the executor was killed on the host before this step ended{reason}",
    "rebooted": "the host was rebooted before this step ended",
    "unknown": "the host does not know this stage any more: it rebooted, or its folder was removed",
    "refused": "the host cannot run a stage: {reason}",
    "silent": "{reason}",
}


def run_stage(
    action: ActionBase, number: int, steps: Steps, locks: Locks, task_vars: Mapping[str, Any]
) -> dict[str, Any]:
    """Run the stage on the task's host; returns the task's result. Raises RackError where it cannot be tried."""
    run = current()
    host = RUN_HOST if steps[0].get("scope") == "run" else str(task_vars["inventory_hostname"])
    if action._task._uuid not in run.stages:
        return _refused(HostStage(run, number, host, steps, locks, action, task_vars))
    chosen = [filled(step, action._templar.template) for step in steps if _is_chosen(run, step["name"], host)]
    if not chosen:
        return {"skipped": True, "msg": f"no step of this stage is for {host or 'this run'}"}
    part = HostStage(run, number, host, chosen, locks, action, task_vars)
    stopping = WorkerStop()
    remote = RemoteExecutor(action, task_vars, run.settings.reconnect_timeout, stopping, run.hidden)
    try:
        with stopping.heeded():
            result = _performed(part, remote)
    except JournalError as error:  # the host keeps its results, and a run that goes on from here collects them
        result = {"changed": False, "failed": True, "msg": str(error), UNRECORDED: True}
    # The interpreter that Ansible found, for the next stage; the controller's would be taken for all hosts'.
    return {**result, "ansible_facts": remote.facts} if remote.facts and host != RUN_HOST else result


def _performed(part: HostStage, remote: RemoteExecutor) -> dict[str, Any]:
    if part.run.unwritable:  # what is done now could not be told
        raise JournalError(part.run.unwritable)
    attached: list[Record] = []
    result = summary(_records(part, remote, attached))
    if attached and (missing := _bring(part, remote, attached)):
        result["warnings"] = missing
    return result


def _is_chosen(run: Run, name: str, host: str) -> bool:
    return host in run.steps[name].hosts and name not in run.left_out


def _refused(part: HostStage) -> dict[str, Any]:
    """Nobody has looked at what this would run, and nobody waits for it: that is the last word on its steps."""
    absent = [{**_absent(part, step, "error", UNPLANNED), "final": True} for step in part.steps]
    append(part.run.path, absent)
    return summary(absent)


def _records(part: HostStage, remote: RemoteExecutor, attached: list[Record]) -> list[Record]:
    """The step records of this stage, those of artifacts into `attached`.

    Every answer is in the journal before the next is asked for.
    """
    records: list[Record] = []
    shut = excluded(part.run, part.host) if part.becomes else ""
    if shut:
        return _all_absent(part, remote, "blocked", shut)
    lost = ("error", "the host's answer has no result of this step")
    try:
        for number, answer in enumerate(_answers(part, remote)):
            _conceal(part, answer)
            _keep(part, remote, answer.records if number else _with_clock(part, answer))
            records += [record for record in answer.records if record["kind"] == "step"]
            attached += [record for record in answer.records if record["kind"] == "artifact"]
            if answer.state in LOST:
                lost = ("error", LOST[answer.state].format(reason=answer.reason))
    except JournalError:
        raise
    except Unreachable as error:
        lost = ("unreachable", str(error))
    except RackError as error:
        lost = ("error", str(error))
    return [*records, *_all_absent(part, remote, *lost, {record["step"] for record in records})]


def _conceal(part: HostStage, answer: HostAnswer) -> None:
    """Before any of its records are written: from here on the run hides what the host has registered."""
    if (
        answer.concealed
        and part.run.secret_registry.add(part.host, answer.concealed)
        and not part.run.secret_registry.is_shared
    ):
        part.action._display.warning(NOT_SHARED)


def _with_clock(part: HostStage, answer: HostAnswer) -> Sequence[Record]:
    """The records of a stage's first answer; before them, what is known of the clock that their times are of."""
    if answer.ahead is None:
        return answer.records
    return (clock_record(part.number, part.host, answer.ahead, now()), *answer.records)


def _keep(part: HostStage, remote: RemoteExecutor, records: Sequence[Record]) -> None:
    """Have the records in the journal; where they cannot be written, as on a full disk, wait as for a lost host."""
    insist(part.run.path, records, part.run.settings.reconnect_timeout, remote.wait)


def _all_absent(
    part: HostStage, remote: RemoteExecutor, verdict: str, reason: str, there: Collection[str] = ()
) -> list[Record]:
    """Write down each step that gave no result."""
    absent = [_absent(part, step, verdict, reason) for step in part.steps if step["name"] not in there]
    _keep(part, remote, absent)
    return absent


def _bring(part: HostStage, remote: RemoteExecutor, attached: list[Record]) -> list[str]:
    """Bring what the steps have attached, and say what did not come; only stages that leave files pay for it."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.fetch_artifacts import bring, missing

    stage = stage_id(part.run.run_id, part.number, part.host)
    found = bring(part.run.folder, stage, attached, lambda wanted: remote.pieces(stage, wanted))
    told = [{**record, "note": part.run.hidden(record["note"])} for record in found]
    _keep(part, remote, told)
    return missing(attached, told)


def _absent(part: HostStage, step: Mapping[str, Any], verdict: str, reason: str) -> Record:
    blocks = not step.get("continue_on_fail")
    told = as_reason(part.run.hidden(reason))  # an argument that is wrong is told as it is
    return no_result(part.number, step["name"], part.host, verdict, told, blocks=blocks)


def _answers(part: HostStage, remote: RemoteExecutor) -> Iterator[HostAnswer]:
    """Ask the host, or for a module of Ansible's the executor in this process, with the locks that this takes."""
    run = part.run
    with holding_locks(_resources(part), run.folder / "locks", remote.wait):
        if part.is_module:
            yield _ask_here(part, remote)
            return
        if run.reusable.earlier is not None:
            names = [step["name"] for step in part.steps]
            collect(run.reusable.earlier, remote, names, part.host, run.settings.reconnect_timeout)
        yield from remote.stage(request_of(part, None))


def _resources(part: HostStage) -> list[Resource]:
    if not part.locks:
        return []
    return resources(part.locks, startable(part.run, part.steps, part.host), part.host, part.variable)


def _ask_here(part: HostStage, remote: RemoteExecutor) -> HostAnswer:
    """Only steps that are modules of Ansible's pay for the import."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.ansible_module_step import (
        as_module,
        run_module,
    )

    program = as_module(part.action, part.task_vars, secret=has_secrets(part))
    try:
        return run_module(request_of(part, program), part.run, remote.halted, check=part.is_check)
    except OSError as error:
        raise JournalError(f"{part.run.folder}: {error.strerror}") from error
