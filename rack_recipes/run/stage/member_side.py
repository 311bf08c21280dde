# SPDX-License-Identifier: GPL-3.0-or-later

"""One side of a test between hosts, on its host: a stage of one step, with the executor and the records of any other.

The serving side tells by a record that something listens; the measuring sides begin then. It is ended after them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.executor.serving_side import LISTENS
from rack_recipes.journal.append import append_patiently
from rack_recipes.journal.record_fields import Record
from rack_recipes.run.current_run import Run, current
from rack_recipes.run.host.bypass_ansible_templating import fill_in
from rack_recipes.run.host.host_answer import HostAnswer
from rack_recipes.run.host.host_request import Request, serving_step, stage_id
from rack_recipes.run.host.host_threads import wait_of_this_host
from rack_recipes.run.host.remote_executor import SERVED, RemoteExecutor
from rack_recipes.run.stage.host_stage_request import HostStage, StageTask, request_of
from rack_recipes.run.stage.member_test import SERVED_BEFORE, RunningTest, Side, own_record, words_of
from rack_recipes.run.stage.run_stage import Course, records_of, summary
from rack_recipes.run.stage.startable_steps import was_given_up, was_reached

PAUSE = 0.05  # seconds between two looks at the serving side
NUMBERS = 2**14  # records of one side, which are numbered behind those of the rounds before
LAST = 2**24 - 1
NOT_OF_A_SIDE = ("scope", "members", "serve", "isolate", "retry", "depends_on", "after", "always")


def run_side(
    action: ActionBase, number: int, step: Mapping[str, object], task_vars: Mapping[str, object], side: Side
) -> dict[str, Any]:
    """Run what a host does in a test; its record is in the test then. Raises RackError."""
    run, running = current(), side.running
    filled = fill_in(step, action._templar.template)
    own = dict(serving_step(filled)) if side.serves and "invalid" not in filled else dict(filled)
    own = {name: value for name, value in own.items() if name not in NOT_OF_A_SIDE}
    stage = HostStage(run, number, side.host, [own], {}, action, task_vars, action._templar.template)
    before = partial(was_reached, run, side.host, ""), partial(was_given_up, run, side.host, "")
    remote = RemoteExecutor(action, task_vars, run.settings.reconnect_timeout, wait_of_this_host(), run.hidden, *before)
    remote.answer_timeout = run.settings.answer_timeout
    if side.serves and stage.is_check:  # nothing would listen
        running.records[side.host] = own_record(side.host, number, running.name, "passed", "")
        return summary([running.records[side.host]])
    if not side.serves and not _may_begin(running, remote, stage.is_check):
        ended = running.records.get(running.server) or {"verdict": "error", "reason": "it gave no result"}
        verdict = "skipped" if ended["verdict"] == "skipped" else "error"
        reason = SERVED_BEFORE.format(host=running.server, reason=ended["reason"] or "it gave no reason")
        running.records[side.host] = own_record(side.host, number, running.name, verdict, reason)
        return summary([running.records[side.host]])
    named = replace(stage, steps=[{**own, "name": running.name}])
    course = Course(
        lambda _task, there: _answers(side, stage, _request(side, stage, task_vars), there),
        lambda _task, there, records: _record(run, side, there, records),
    )
    artifacts: list[Record] = []
    records_of(StageTask((named,)), remote, artifacts, course)
    result = summary([running.records[side.host]] if side.host in running.records else [])
    return {**result, "ansible_facts": remote.facts} if remote.facts else result


def _may_begin(running: RunningTest, remote: RemoteExecutor, is_check: bool) -> bool:
    """Wait for the serving side. False where it has ended before."""
    while running.server and not is_check and not running.is_ready:
        if running.has_server_ended:
            return False
        remote.wait(PAUSE)
    return True


def _request(side: Side, stage: HostStage, task_vars: Mapping[str, object]) -> Request:
    """The request for this side of this round: a stage of its own on the host, which forgets that of the last round."""
    running, run = side.running, stage.run
    request = request_of(stage, None)
    sent = request.message["steps"][0]
    step = {**sent, "name": running.name, "scope": "host", "words": words_of(side, sent, task_vars)}
    more: dict[str, Any] = {}
    if side.serves:
        step = {name: value for name, value in step.items() if name not in ("timeout", "when")}
        step["serves"], more = (stage.steps[0].get("port") or 0), {"hooks": {}}
    host, turn = f"{side.host}\0{running.round}", side.tries
    earlier = stage_id(run.run_id, stage.number, f"{side.host}\0{running.round - 1}.0")
    message = {
        **request.message,
        **more,
        "id": stage_id(run.run_id, stage.number, f"{host}.{turn}"),
        "steps": [step],
        "offers": {},
        "settled": {},
        "collected": [*request.message["collected"], earlier],
    }
    message.pop("waivers", None)  # what is waived is the result of both sides
    return Request(message, request.files)


def _answers(side: Side, stage: HostStage, request: Request, remote: RemoteExecutor) -> Iterator[HostAnswer]:
    if not side.serves:
        yield from remote.stage(request)
        return
    yield from remote.serve(request, lambda: bool(side.running.open))


def _record(run: Run, side: Side, remote: RemoteExecutor, records: Sequence[Record]) -> None:
    """Keep the step's record in the test; append the others. Where that fails, as on a full disk, try again."""
    kept = []
    for record in records:
        if record["kind"] == "step":
            side.running.records[side.host] = _as_served(record) if side.serves else record
        elif record["kind"] == "log" and record.get("event") == LISTENS:
            side.running.port, side.running.is_ready = int(record["text"]), True
        elif record["kind"] != "clock" or side.running.round == 1:
            kept.append(_numbered(record, side))
    if kept:
        append_patiently(run.path, kept, run.settings.reconnect_timeout, remote.wait)


def _numbered(record: Record, side: Side) -> Record:
    number = record.get("n", 0)
    behind = number + NUMBERS * (side.running.round * 8 + side.tries)
    return {**record, "n": behind if number and behind <= LAST else 0} if "n" in record else record


def _as_served(record: Record) -> Record:
    """The record of a serving side; one that was ended because nobody needs it any more has done its work."""
    if record["reason"].startswith(f"stopped: {SERVED}") or record["reason"].startswith(f"not run: {SERVED}"):
        return {**record, "verdict": "passed", "reason": ""}
    return record
