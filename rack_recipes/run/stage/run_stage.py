# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a stage on one host, in Ansible's worker.

Ask the host, write its answers to the journal, and sum up for Ansible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import batched
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import as_reason, first_few
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import lets_start
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SHORTEST
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from rack_recipes.errors import JournalError, RackError, UsageError
from rack_recipes.journal.append import append, append_patiently
from rack_recipes.journal.step_results_and_end_status import counts_in_words
from rack_recipes.plan.compile.action_names import CONTROLLER
from rack_recipes.run.current_run import RUN_HOST, Run, current
from rack_recipes.run.delegates import group_problem
from rack_recipes.run.host.bypass_ansible_templating import fill_in
from rack_recipes.run.host.host_answer import UNKNOWN_STAGE, HostAnswer, clock_record
from rack_recipes.run.host.host_request import uses_live
from rack_recipes.run.host.host_threads import lease_on_hosts, wait_of_this_host
from rack_recipes.run.host.remote_executor import RemoteExecutor, Unreachable
from rack_recipes.run.host.worker_stop import WorkerStop
from rack_recipes.run.missing_results_and_artifacts import (
    UNPLANNED,
    UNRECORDED,
    missing_artifacts,
    missing_result,
    with_waiver,
)
from rack_recipes.run.run_secrets import NOT_HIDDEN, NOT_SHARED
from rack_recipes.run.stage.host_records import HostRecordCheck, KeyGuard, collect_results
from rack_recipes.run.stage.host_stage_request import HostStage, Locks, StageTask, Steps, has_secrets, request_of
from rack_recipes.run.stage.resource_locks import hold_locks, resources
from rack_recipes.run.stage.startable_steps import startable, was_given_up, was_reached, wrong_password_reason

Record = dict[str, Any]
MOST_LINES = 20  # steps that passed have a line each, up to this number
IN_A_LINE = 5
HOSTS_IN_A_LINE = 20
NAMED = 5  # hosts in the message of a stage for many
FIELDS = ("host", "step", "verdict", "seconds", "reason", "instances")


def for_summary(record: Record) -> Record:
    """What a summary needs of a step record. The worker keeps this, since a host may send very many large ones."""
    return {name: record[name] for name in FIELDS if name in record}


def summary(records: Iterable[Record]) -> dict[str, Any]:
    """The task's result for these step records: each step with verdict, duration and reason; in `msg` what failed.

    A looped step is shown by its instances.
    """
    steps = [record for record in records if not record.get("instances")]
    lines = list(_lines(steps))
    result: dict[str, Any] = {"changed": False, "steps": lines, "_ansible_verbose_always": True}
    bad = [step for step in steps if step["verdict"] not in HARMLESS]
    if not bad:
        seconds = sum(step["seconds"] for step in steps)
        return {**result, "msg": f"{_count(steps)} in {seconds:.3f} s"}
    first = next((step for step in bad if step["verdict"] != "blocked"), bad[0])
    reason = f"{first['step']} {first['verdict']}: {first['reason'] or 'no reason given'} ({_count(steps)})"
    kind = "unreachable" if first["verdict"] == "unreachable" else "failed"
    return {**result, "msg": reason, kind: True}


def task_summary(records: Iterable[Record], hosts: Sequence[str]) -> dict[str, Any]:
    """The result of a task that ran a stage for these hosts: that of the first one, and a line for each other.

    It has failed where one of these has.
    """
    own: dict[str, list[Record]] = {host: [] for host in hosts}
    for record in records:
        own[record["host"]].append(record)
    first, *others = ((host, summary(own[host])) for host in hosts)
    result = first[1]
    if others:
        good = [host for host, other in others if not other.get("failed") and not other.get("unreachable")]
        bad = [f"{host}: {other['msg']}" for host, other in others if host not in {*good}]
        result["others"] = [*bad, *(f"passed  {', '.join(some)}" for some in batched(good, HOSTS_IN_A_LINE))]
        if bad and not (result.get("failed") or result.get("unreachable")):
            result |= {"failed": True, "msg": first_few(bad, NAMED)}
    return result


def _count(steps: Iterable[Record]) -> str:
    return counts_in_words(Counter(step["verdict"] for step in steps))


def _lines(steps: Sequence[Record]) -> Iterator[str]:
    """A line for each step. Where many passed they share lines: Ansible takes half a millisecond for a line."""
    passed = [step for step in steps if step["verdict"] == "passed"]
    together = passed if len(passed) > MOST_LINES else []
    gone: dict[str, str] = {}  # by the reason why a host cannot be reached the first step that has it
    for step in steps:
        if not together or step["verdict"] != "passed":
            is_gone = step["verdict"] == "unreachable"
            first = gone.setdefault(step["reason"], step["step"]) if is_gone else step["step"]
            yield _line(step if first == step["step"] else {**step, "reason": f"as {first}"})
    for some in batched(together, IN_A_LINE):
        yield f"passed  {', '.join(f'{step["step"]} {step["seconds"]:.3f} s' for step in some)}"


def _line(step: Record) -> str:
    reason = f"  {step['reason']}" if step["reason"] else ""
    return f"{step['verdict']:<11} {step['seconds']:8.3f} s  {step['step']}{reason}"


LOST = {  # by the state of the host's last answer, why steps have no result
    "killed": "the executor was killed on the host before this step ended{reason}",
    "rebooted": "the host was rebooted before this step ended",
    "unknown": UNKNOWN_STAGE,
    "refused": "the host cannot run a stage: {reason}",
    "silent": "{reason}",
}


@dataclass(frozen=True, slots=True)
class Course:
    """How a stage is asked for, and what becomes of its records, where that is another way than the usual one."""

    answers: Callable[[StageTask, RemoteExecutor], Iterator[HostAnswer]]
    record: Callable[[StageTask, RemoteExecutor, Sequence[Record]], None]


def runs_on_all_hosts(action: ActionBase) -> bool:
    """Whether Ansible runs the task of this action once, for all of its hosts; false where there is no run."""
    with suppress(UsageError):
        return action._task._uuid in current().together
    return False


def runs_between_hosts(action: ActionBase) -> bool:
    """Whether the task of this action is a step between hosts; false where there is no run."""
    with suppress(UsageError):
        return action._task._uuid in current().between
    return False


def run_stage(
    action: ActionBase, number: int, steps: Steps, locks: Locks, task_vars: Mapping[str, object]
) -> dict[str, Any]:
    """Run the stage on the task's host; returns the task's result. Raises RackError where it cannot be tried."""
    run = current()
    host = RUN_HOST if steps[0].get("scope") == "run" else str(task_vars["inventory_hostname"])
    stage = HostStage(run, number, host, steps, locks, action, task_vars, action._templar.template)
    if action._task._uuid not in run.stages:
        return _refused(stage)
    group = run.delegates.of(number, host)
    members = [_for_member(stage, *member) for member in group.hosts.items()] if group else [stage]
    stages = [chosen for each in members if (chosen := _with_chosen(each)).steps]
    if not stages:
        return {"skipped": True, "msg": f"no step of this stage is for {host or 'this run'}"}
    if number in run.peers.ran:
        return {"changed": False, "msg": f"{run.peers.ran[number]} has run this stage for the whole group"}
    own, stop = wait_of_this_host(), WorkerStop()
    before = partial(was_reached, run, host, stage.delegate), partial(was_given_up, run, host, stage.delegate)
    remote = RemoteExecutor(action, task_vars, run.settings.reconnect_timeout, own or stop, run.hidden, *before)
    remote.answer_timeout = run.settings.answer_timeout
    try:
        with nullcontext() if own else stop.catch_signals():
            result = _result(StageTask(tuple(stages), group.delegate if group else ""), remote)
    except JournalError as error:  # the host keeps its results, and a run that resumes this one collects them
        result = {"changed": False, "failed": True, "msg": str(error), UNRECORDED: True}
    # The next stage uses the interpreter that Ansible has found. That of another host would be taken for this one's.
    is_own = host != RUN_HOST and not stage.delegate
    return {**result, "ansible_facts": remote.facts} if remote.facts and is_own else result


def _for_member(stage: HostStage, host: str, variables: Mapping[str, object]) -> HostStage:
    """The same stage on another host of the delegate's, with that host's variables."""
    template = Templar(loader=stage.action._loader, variables=variables).template
    return replace(stage, host=host, task_vars=variables, template=template)


def _with_chosen(stage: HostStage) -> HostStage:
    """The stage with the steps only that are for its host; their templates are filled in."""
    chosen = (step for step in stage.steps if _is_chosen(stage.run, step["name"], stage.host))
    return replace(stage, steps=[fill_in(step, stage.template) for step in chosen])


def _result(task: StageTask, remote: RemoteExecutor) -> dict[str, Any]:
    if task.run.unwritable:  # what is done now could not be recorded
        raise JournalError(task.run.unwritable)
    artifacts: list[Record] = []
    result = task_summary(records_of(task, remote, artifacts), [stage.host for stage in task.stages])
    if artifacts and (missing := _fetch(task, remote, artifacts)):
        result["warnings"] = missing
    return result


def _is_chosen(run: Run, name: str, host: str) -> bool:
    return host in run.steps[name].hosts and name not in run.left_out


def _refused(stage: HostStage) -> dict[str, Any]:
    """The result of a stage that was not planned: nobody has checked what it would run. Its records are final."""
    missing = [{**_missing_result(stage, step, "error", UNPLANNED), "final": True} for step in stage.steps]
    append(stage.run.path, missing)
    return summary(missing)


def records_of(
    task: StageTask, remote: RemoteExecutor, artifacts: list[Record], course: Course | None = None
) -> list[Record]:
    """The step records of this stage; those of artifacts are added to `artifacts`.

    Every answer is in the journal before the next one is asked for.
    """
    course = course or Course(_answers, _record)
    records: list[Record] = []
    guard, check = KeyGuard(task.run.settings), HostRecordCheck(task.sender())
    for verdict, find in HOLD_BACK:
        held_back = {stage.host: reason for stage in task.stages if (reason := find(stage))}
        if held_back:
            records += _record_missing(task, remote, verdict, held_back, (), course)
            task = replace(task, stages=tuple(stage for stage in task.stages if stage.host not in held_back))
    if not task.stages:
        return records
    lost, of_hosts = ("error", "the host's answer has no result of this step"), dict[str, str]()
    try:
        for number, told in enumerate(course.answers(task, remote)):
            answer = _checked(task, told, check, guard)
            _register_secrets(task, answer)
            course.record(task, remote, answer.records if number else _with_clocks(task, answer))
            records += map(for_summary, filter(lambda record: record["kind"] == "step", answer.records))
            artifacts += [record for record in answer.records if record["kind"] == "artifact"]
            of_hosts = {**answer.lost}
            if answer.state in LOST:
                lost = ("error", LOST[answer.state].format(reason=answer.reason))
    except JournalError:
        raise
    except Unreachable as error:
        lost = ("unreachable", str(error))
    except RackError as error:
        lost = ("error", str(error))
    verdict, reason = lost
    reasons = {stage.host: of_hosts.get(stage.host, reason) for stage in task.stages}
    return [*records, *_record_missing(task, remote, verdict, reasons, records, course)]


def _checked(task: StageTask, told: HostAnswer, check: HostRecordCheck, guard: KeyGuard) -> HostAnswer:
    """The answer without what the host must not send; the steps that this is about are errors at once."""
    if task.first.is_module or not task.first.starts_programs:  # no host has sent it
        return replace(told, records=tuple(guard.allowed(task.told(told.records))))
    known = {*check.refused}
    secrets = check.allowed_secrets(told.concealed)
    records = check.allowed(told.records)
    stages = {stage.host: (stage, {step["name"]: step for step in stage.steps}) for stage in task.stages}
    for cell in check.refused.keys() - known:
        stage, steps = stages[cell.host]
        refused = _missing_result(stage, steps[cell.step], "error", check.refused[cell])
        records.append({**refused, "final": True})
    return replace(told, records=tuple(guard.allowed(task.told(records))), concealed=tuple(secrets))


def _wrong_password(stage: HostStage) -> str:
    return wrong_password_reason(stage.run, stage.host, stage.delegate) if stage.becomes else ""


def _group(stage: HostStage) -> str:
    """What is wrong where a template has come out as a group of the inventory and no host; empty where nothing is."""
    name, known = stage.delegate, stage.task_vars
    return group_problem(name) if name and name in known["groups"] and name not in known["hostvars"] else ""


def _not_allowed(stage: HostStage) -> str:
    """Why a template must not come out as it did: a policy has allowed what it came out as when the run began."""
    place = stage.delegate or stage.host or CONTROLLER
    allowed = stage.run.judged.get((stage.number, stage.host), place)
    return "" if allowed == place else f"delegate_to: the policy was asked about {allowed}, and this is {place}"


# Why a stage does not begin on a host, and the verdict of its steps there. The first reason counts.
HOLD_BACK: tuple[tuple[str, Callable[[HostStage], str]], ...] = (
    ("error", _group),
    ("error", _not_allowed),
    ("blocked", lambda stage: stage.run.peers.held_back.get(stage.number, "")),  # it needs the whole group
    ("blocked", _wrong_password),
)


def _register_secrets(task: StageTask, answer: HostAnswer) -> None:
    """Have the run hide what the hosts have registered as secret, before a record of this answer is written."""
    if not answer.concealed:
        return
    registry, words = task.run.secret_registry, task.run.own_words()
    told: dict[str, list[Mapping[str, Any]]] = {stage.host: [] for stage in task.stages}
    for entry in answer.concealed:
        host = str(entry.get("host", task.first.host))
        if host in told:  # a delegate speaks for its own hosts only
            told[host].append(entry)
    is_new = False
    for host, entries in told.items():
        kept = registry.hidden_by(entries, words)
        is_new |= registry.add(host, kept)
        if left := len(entries) - len(kept):
            text = NOT_HIDDEN.format(number=left, host=host or "a step of the run", shortest=SHORTEST)
            append(task.run.path, [{"kind": "warning", "time": now(), "text": text}])
            task.first.action._display.warning(f"rack.recipes.stage: {text}")
    if is_new and not registry.is_shared:
        task.first.action._display.warning(NOT_SHARED)


def _with_clocks(task: StageTask, answer: HostAnswer) -> Sequence[Record]:
    """The records of a stage's first answer, behind those about the clock that their times are from."""
    if answer.ahead is None:
        return answer.records
    moment = now()
    return (*(clock_record(task.number, stage.host, answer.ahead, moment) for stage in task.stages), *answer.records)


def _record(task: StageTask, remote: RemoteExecutor, records: Sequence[Record]) -> None:
    """Append the records; where that fails, as on a full disk, try again for as long as for a lost host."""
    append_patiently(task.run.path, records, task.run.settings.reconnect_timeout, remote.wait)


def _record_missing(
    task: StageTask, remote: RemoteExecutor, verdict: str, reasons: Mapping[str, str], present: Collection[Record],
    course: Course,
) -> list[Record]:  # fmt: skip
    """Record each step that gave no result, on the hosts that have a reason; `present` are the results there are."""
    if not task.stages:
        return []
    ended = {(record["host"], record["step"]) for record in present}
    missing = [
        _missing_result(stage, step, verdict, reasons[stage.host])
        for stage in task.stages
        if stage.host in reasons
        for step in stage.steps
        if (stage.host, step["name"]) not in ended
    ]
    told = task.told(missing)
    course.record(task, remote, told)
    return told


def _fetch(task: StageTask, remote: RemoteExecutor, artifacts: list[Record]) -> list[str]:
    """Fetch what the steps have attached; returns a line for each file that did not arrive."""
    # only stages that leave files pay for this import
    from rack_recipes.run.stage.fetch_artifacts import fetch_artifacts

    found = fetch_artifacts(task.run.folder, task.id, artifacts, lambda wanted: remote.pieces(task.id, wanted))
    transfers = [{**record, "note": task.run.hidden(record["note"])} for record in found]
    _record(task, remote, transfers)
    return missing_artifacts(artifacts, transfers)


def _missing_result(stage: HostStage, step: Mapping[str, Any], verdict: str, reason: str) -> Record:
    blocks = not lets_start(step, verdict)
    shown = as_reason(stage.run.hidden(reason))  # an error shows a wrong argument as it is
    record = missing_result(stage.number, step["name"], stage.host, verdict, shown, blocks=blocks)
    return record if verdict != "unreachable" else with_waiver(record, stage.run.inputs.waivers)


def _answers(task: StageTask, remote: RemoteExecutor) -> Iterator[HostAnswer]:
    """The answers of the host, or of the executor here for a module of Ansible's; locks are held meanwhile."""
    run = task.run
    if not (task.first.is_module or task.first.starts_programs):
        # only network devices pay for this import
        from rack_recipes.run.stage.ansible_module_step import refuse_network_device

        yield from (refuse_network_device(stage, remote.halted) for stage in task.stages)
        return
    with _holding_locks(task, remote):
        if task.first.is_module:
            remote.look_again()
            yield _run_module_here(task.first, remote)
            return
        if run.reusable.earlier is not None:
            collect_results(run.reusable.earlier, remote, task)
        request = task.request()
        if not uses_live(request.message):
            yield from remote.stage(request)
            return
        # only steps on the live bus pay for this import
        from rack_recipes.run.stage.connect_steps_to_server import live_bus

        with live_bus(task, remote, request):
            yield from remote.stage(request)


def _holding_locks(task: StageTask, remote: RemoteExecutor) -> AbstractContextManager[None]:
    """Hold what the steps share with other hosts; with those of other parts, where these meet."""
    run, stage = task.run, task.first
    steps = startable(run, stage.steps, stage.host) if stage.locks else ()
    wanted = resources(stage.locks, steps, stage.host, stage.of_lock)
    if not (wanted and run.meeting):
        return hold_locks(wanted, run.folder / "locks", remote.wait, remote.admitted)
    # only a part that meets others pays for this import
    from rack_recipes.run.stage.group_locks import LockHolder

    owner = f"{run.run_id} stage {task.number} {task.first.host}"
    lease, patience = lease_on_hosts(run.settings.reconnect_timeout), run.settings.group_wait
    return LockHolder(run.meeting.group_keys, owner, lease, patience, remote.wait).holding(wanted)


def _run_module_here(stage: HostStage, remote: RemoteExecutor) -> HostAnswer:
    # only steps that are modules of Ansible's pay for these imports
    from rack_recipes.run.stage.ansible_module_step import as_module, run_here
    from rack_recipes.run.stage.persistent_connection import end_lost_session

    program = as_module(stage, secret=has_secrets(stage))
    try:
        answer = run_here(request_of(stage, program), stage.run, remote.halted, check=stage.is_check)
    except OSError as error:
        raise JournalError(f"{stage.run.folder}: {error.strerror}") from error
    end_lost_session(stage.action, answer)
    return answer
