# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a stage on one host, in Ansible's worker: ask the host, write its answers to the journal, sum up for Ansible."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.context_values import as_reason
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError, RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append, insist
from ansible_collections.rack.recipes.plugins.plugin_utils.run.artifact_transfers import missing_artifacts
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import RUN_HOST, Run, current
from ansible_collections.rack.recipes.plugins.plugin_utils.run.delegates import group_problem, told_through
from ansible_collections.rack.recipes.plugins.plugin_utils.run.missing_results import (
    UNPLANNED,
    UNRECORDED,
    missing_result,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrets.secret_registry import NOT_SHARED
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.collect_earlier_stage import collect
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.host_secrets import has_secrets
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.host_stage import (
    HostStage,
    Locks,
    Steps,
    request_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.readiness import startable, wrong_password_reason
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.resource_locks import (
    Resource,
    holding_locks,
    resources,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.stage_summary import Record, summary
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_answer import HostAnswer
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_clock import clock_record
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.remote_executor import RemoteExecutor, Unreachable
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.request import stage_id
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.templating import fill_in
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.worker_stop import WorkerStop

LOST = {  # by the state of the host's last answer, why steps have no result
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
    chosen = [fill_in(step, action._templar.template) for step in steps if _is_chosen(run, step["name"], host)]
    if not chosen:
        return {"skipped": True, "msg": f"no step of this stage is for {host or 'this run'}"}
    stage = HostStage(run, number, host, chosen, locks, action, task_vars)
    stop = WorkerStop()
    remote = RemoteExecutor(action, task_vars, run.settings.reconnect_timeout, stop, run.hidden)
    try:
        with stop.catch_signals():
            result = _result(stage, remote)
    except JournalError as error:  # the host keeps its results, and a run that resumes this one collects them
        result = {"changed": False, "failed": True, "msg": str(error), UNRECORDED: True}
    # The next stage uses the interpreter that Ansible has found. That of another host would be taken for this one's.
    is_own = host != RUN_HOST and not stage.delegate
    return {**result, "ansible_facts": remote.facts} if remote.facts and is_own else result


def _result(stage: HostStage, remote: RemoteExecutor) -> dict[str, Any]:
    if stage.run.unwritable:  # what is done now could not be recorded
        raise JournalError(stage.run.unwritable)
    artifacts: list[Record] = []
    result = summary(_records(stage, remote, artifacts))
    if artifacts and (missing := _fetch(stage, remote, artifacts)):
        result["warnings"] = missing
    return result


def _is_chosen(run: Run, name: str, host: str) -> bool:
    return host in run.steps[name].hosts and name not in run.left_out


def _refused(stage: HostStage) -> dict[str, Any]:
    """The result of a stage that was not planned: nobody has checked what it would run. Its records are final."""
    missing = [{**_missing_result(stage, step, "error", UNPLANNED), "final": True} for step in stage.steps]
    append(stage.run.path, missing)
    return summary(missing)


def _records(stage: HostStage, remote: RemoteExecutor, artifacts: list[Record]) -> list[Record]:
    """The step records of this stage; those of artifacts are added to `artifacts`.

    Every answer is in the journal before the next one is asked for.
    """
    records: list[Record] = []
    if _is_group(stage):
        return _record_missing(stage, remote, "error", group_problem(stage.delegate))
    wrong_password = wrong_password_reason(stage.run, stage.host, stage.delegate) if stage.becomes else ""
    if wrong_password:
        return _record_missing(stage, remote, "blocked", wrong_password)
    lost = ("error", "the host's answer has no result of this step")
    try:
        for number, told in enumerate(_answers(stage, remote)):
            answer = replace(told, records=tuple(told_through(told.records, stage.delegate)))
            _register_secrets(stage, answer)
            _record(stage, remote, answer.records if number else _with_clock(stage, answer))
            records += [record for record in answer.records if record["kind"] == "step"]
            artifacts += [record for record in answer.records if record["kind"] == "artifact"]
            if answer.state in LOST:
                lost = ("error", LOST[answer.state].format(reason=answer.reason))
    except JournalError:
        raise
    except Unreachable as error:
        lost = ("unreachable", str(error))
    except RackError as error:
        lost = ("error", str(error))
    return [*records, *_record_missing(stage, remote, *lost, {record["step"] for record in records})]


def _is_group(stage: HostStage) -> bool:
    """Whether the delegate is a group of the inventory, which a template may come out as, and no host."""
    known = stage.task_vars
    return bool(stage.delegate) and stage.delegate in known["groups"] and stage.delegate not in known["hostvars"]


def _register_secrets(stage: HostStage, answer: HostAnswer) -> None:
    """Have the run hide what the host has registered as secret, before a record of this answer is written."""
    registry = stage.run.secret_registry
    if answer.concealed and registry.add(stage.host, answer.concealed) and not registry.is_shared:
        stage.action._display.warning(NOT_SHARED)


def _with_clock(stage: HostStage, answer: HostAnswer) -> Sequence[Record]:
    """The records of a stage's first answer, behind one about the clock that their times are from."""
    if answer.ahead is None:
        return answer.records
    return (clock_record(stage.number, stage.host, answer.ahead, now()), *answer.records)


def _record(stage: HostStage, remote: RemoteExecutor, records: Sequence[Record]) -> None:
    """Append the records; where that fails, as on a full disk, try again for as long as for a lost host."""
    insist(stage.run.path, records, stage.run.settings.reconnect_timeout, remote.wait)


def _record_missing(
    stage: HostStage, remote: RemoteExecutor, verdict: str, reason: str, present: Collection[str] = ()
) -> list[Record]:
    """Record each step that gave no result; `present` names those that did."""
    steps = [step for step in stage.steps if step["name"] not in present]
    missing = told_through([_missing_result(stage, step, verdict, reason) for step in steps], stage.delegate)
    _record(stage, remote, missing)
    return [*missing]


def _fetch(stage: HostStage, remote: RemoteExecutor, artifacts: list[Record]) -> list[str]:
    """Fetch what the steps have attached; returns a line for each file that did not arrive."""
    # only stages that leave files pay for this import
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.fetch_artifacts import fetch_artifacts

    name = stage_id(stage.run.run_id, stage.number, stage.host)
    found = fetch_artifacts(stage.run.folder, name, artifacts, lambda wanted: remote.pieces(name, wanted))
    transfers = [{**record, "note": stage.run.hidden(record["note"])} for record in found]
    _record(stage, remote, transfers)
    return missing_artifacts(artifacts, transfers)


def _missing_result(stage: HostStage, step: Mapping[str, Any], verdict: str, reason: str) -> Record:
    blocks = not step.get("continue_on_fail")
    shown = as_reason(stage.run.hidden(reason))  # an error shows a wrong argument as it is
    return missing_result(stage.number, step["name"], stage.host, verdict, shown, blocks=blocks)


def _answers(stage: HostStage, remote: RemoteExecutor) -> Iterator[HostAnswer]:
    """The answers of the host, or of the executor here for a module of Ansible's; locks are held meanwhile."""
    run = stage.run
    with holding_locks(_resources(stage), run.folder / "locks", remote.wait):
        if stage.is_module:
            yield _run_module_here(stage, remote)
            return
        if run.reusable.earlier is not None:
            names = [step["name"] for step in stage.steps]
            collect(run.reusable.earlier, remote, names, stage)
        yield from remote.stage(request_of(stage, None))


def _resources(stage: HostStage) -> list[Resource]:
    if not stage.locks:
        return []
    return resources(stage.locks, startable(stage.run, stage.steps, stage.host), stage.host, stage.of_lock)


def _run_module_here(stage: HostStage, remote: RemoteExecutor) -> HostAnswer:
    # only steps that are modules of Ansible's pay for this import
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.ansible_module_step import (
        as_module,
        run_module,
    )

    program = as_module(stage.action, stage.task_vars, secret=has_secrets(stage))
    try:
        return run_module(request_of(stage, program), stage.run, remote.halted, check=stage.is_check)
    except OSError as error:
        raise JournalError(f"{stage.run.folder}: {error.strerror}") from error
