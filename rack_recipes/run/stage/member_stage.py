# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a step between hosts in one worker: round after round, in which the tests run beside each other.

Its results are about several hosts, so they have no host of their own. The step itself ends with the worst of them,
as a looped step does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import as_reason, first_few
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import lets_start
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, rank
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results_and_end_status import UNTESTED
from rack_recipes.plan.members.isolate_faults import Isolation
from rack_recipes.plan.members.match_members import MemberTest, rounds_of
from rack_recipes.plan.members.predict_rounds import CABLES, cables_of, search_of
from rack_recipes.plan.members.sides import Outcome
from rack_recipes.recipe.recipe_model import Isolate, Members
from rack_recipes.recipe.steps_to_and_from_data import from_data
from rack_recipes.run.current_run import RUN_HOST, Run, current
from rack_recipes.run.host.host_threads import MOST_THREADS, HostThreads
from rack_recipes.run.host.run_ansible_task import task_runner
from rack_recipes.run.member_findings import finding_of
from rack_recipes.run.missing_results_and_artifacts import UNRECORDED, missing_result, with_waiver
from rack_recipes.run.stage.member_test import NOT_MEASURED, RunningTest, Side, own_record, set_side
from rack_recipes.run.stage.run_stage import summary
from rack_recipes.run.stage.startable_steps import blocking_verdicts, halt_reason

Step = Mapping[str, Any]
CONNECTIONS = 128  # hosts of a round that are waited for at a time, also with fewer forks
NAMED = 10


def run_members(action: ActionBase, number: int, step: Step, task_vars: Mapping[str, object]) -> dict[str, Any]:
    """Run the step between the hosts of the task's play; returns the task's result. Raises RackError."""
    run = current()
    stage = MemberStage(action, number, step, task_vars)
    if step["name"] in run.left_out or not stage.hosts:
        return {"skipped": True, "msg": "no host of this play takes part in this step"}
    began, moment = time.monotonic(), now()
    try:
        stage.run_all()
        records = [*stage.records, *stage.close(moment, time.monotonic() - began)]
    except JournalError as error:  # what is done now could not be recorded
        return {"changed": False, "failed": True, "msg": str(error), UNRECORDED: True}
    return summary([record for record in records if not record.get("instances")])


class MemberStage:
    """A step between hosts. `records` are the results of its tests so far."""

    def __init__(self, action: ActionBase, number: int, step: Step, task_vars: Mapping[str, Any]) -> None:
        self.run: Run = current()
        self.number, self.step, self.name = number, step, str(step["name"])
        batch = {*task_vars["ansible_play_batch"]}
        self.hosts = [host for host in self.run.steps[self.name].members if host in batch]
        self.records: list[Record] = []
        self.isolation: Isolation | None = None
        self.tested: set[str] = set()
        self._absent: dict[str, frozenset[str]] = {}  # by result, the hosts by which nothing could be measured
        self._task_vars = task_vars
        self._forks = max(1, int(context.CLIARGS.get("forks") or 1))
        written = self.run.between[action._task._uuid]
        self._runner = task_runner(written, self.run.play, task_vars, task_vars["ansible_play_batch"])
        self._threads = HostThreads(max(self._forks, min(CONNECTIONS, len(self.hosts))))
        self._round = 0

    def run_all(self) -> None:
        """Run round after round, as the recipe's rule or a search for the fault asks for them."""
        if self.step.get("isolate"):
            self._search()
            return
        for tests in self._planned():
            if self._threads.stop.is_requested:
                return
            self._run_round(tests)

    def _planned(self) -> Iterator[Sequence[MemberTest]]:
        members = from_data(Members, self.step.get("members") or {})
        scope, cables = self.run.steps[self.name].scope, {}
        if members.rule == "neighbours":
            known = self._task_vars["hostvars"]
            cables = cables_of({host: {CABLES: (known.get(host) or {}).get(CABLES)} for host in self.hosts})
        for tests in rounds_of(scope, members, self.hosts, self.run.inputs.attributes, cables):
            for start in range(0, len(tests), MOST_THREADS // 2):
                yield tests[start : start + MOST_THREADS // 2]

    def _search(self) -> None:
        isolate = from_data(Isolate, self.step["isolate"])
        scope, attributes = self.run.steps[self.name].scope, self.run.inputs.attributes
        self.isolation = search_of(scope, isolate, self.hosts, attributes)
        while not self._threads.stop.is_requested and (tests := self.isolation.next_round()):
            records = self._run_round(tests)
            if len(records) < len(tests):  # the run is to end
                return
            self.isolation.take([_outcome_of(record, self._absent[record["step"]]) for record in records])

    def _run_round(self, tests: Sequence[MemberTest]) -> list[Record]:
        """Run the tests beside each other, again those that are errors as the recipe allows; records and returns them.

        Only an error is tried again: it says that nothing was measured. What is waived is recorded so, and returned as
        it was: a search must not take it for good.
        """
        self._round += 1
        retry = self.step.get("retry") or {}
        most, pause = int(retry.get("max") or 1), float(retry.get("delay_sec") or 0)
        found: dict[int, Record] = {}
        for turn in range(max(1, most)):
            open_tests = [place for place in range(len(tests)) if turn == 0 or found[place]["verdict"] == "error"]
            if not open_tests or self._threads.stop.is_requested:
                break
            if turn and pause:
                time.sleep(pause)
            for place, record in zip(open_tests, self._try([tests[place] for place in open_tests], turn), strict=True):
                earlier = found[place]["attempts"] if place in found else []
                found[place] = {**record, "attempts": [*earlier, *record["attempts"]]}
        records = [found[place] for place in sorted(found)]
        for record in records:
            record["n"] = len(self.records) + 1
            self.records.append(with_waiver(record, self.run.inputs.waivers))
            if record["verdict"] not in NOT_MEASURED:
                self.tested.update(record["members"])
        append(self.run.path, self.records[-len(records) :] if records else [])
        return records

    def _try(self, tests: Sequence[MemberTest], turn: int) -> list[Record]:
        began, moment = time.monotonic(), now()
        running = [
            RunningTest.of(test, self._name_of(test), self._round, serves=bool(self.step.get("serve")))
            for test in tests
        ]
        sides: dict[str, Side] = {}
        for each in running:
            for host in each.test.members:
                if blocked := self._blocked(host):
                    each.records[host] = own_record(host, self.number, each.name, "blocked", blocked)
                    each.absent.add(host)
            if not each.absent:
                sides.update({host: Side(each, host, turn) for host in each.test.members})
        self._threads.run([*sides], lambda host: self._run_host(sides[host]))
        head = {"kind": "step", "stage": self.number, "n": 0, "host": RUN_HOST, "parent": self.name}
        found = [each.result(head, moment, time.monotonic() - began) for each in running]
        self._absent.update({each.name: frozenset(each.absent) for each in running})
        return [{**each, "reason": as_reason(self.run.hidden(each["reason"]))} for each in found]

    def _run_host(self, side: Side) -> None:
        """Run what a host does, by Ansible's own code for a task of that host."""
        set_side(side)
        try:
            result = self._runner(side.host)
            if side.host not in side.running.records:
                verdict = "unreachable" if result.get("unreachable") else "error"
                reason = str(result.get("msg") or "it gave no result")
                record = own_record(side.host, self.number, side.running.name, verdict, reason)
                side.running.records[side.host] = record
        finally:
            set_side(None)
            side.running.ended(side.host)

    def _blocked(self, host: str) -> str:
        """Why a host may take part in no test; empty where it may."""
        if reason := halt_reason(self.run, host):
            return f"not run: {reason}"
        found = blocking_verdicts(self.run, [self.step], host)
        return next((f"needs {label}, which is {verdict} on {host}" for label, verdict in found.items()), "")

    def _name_of(self, test: MemberTest) -> str:
        """The name of a result. That of a pair does not depend on who serves, so runs can be compared."""
        named = test.label or ",".join(sorted(test.members, key=self.hosts.index))
        return f"{self.name}[{f'{self._round}: ' if test.phase else ''}{named}]"

    def close(self, moment: str, seconds: float) -> list[Record]:
        """The records of the step itself, and of hosts that took part in nothing. They are appended to the journal."""
        bad = [record for record in self.records if record["verdict"] not in (*PASSING, "skipped")]
        verdict = min((record["verdict"] for record in self.records), key=rank, default="error")
        named = first_few([f"{record['step']} ({record['verdict']})" for record in bad], NAMED)
        reason = f"{len(bad)} of {len(self.records)} did not pass: {named}" if bad else ""
        reason = reason or ("" if self.records else "no two hosts of this run test each other by its members")
        own = {
            **missing_result(
                self.number, self.name, RUN_HOST, verdict, reason, blocks=not lets_start(self.step, verdict)
            ),
            "n": len(self.records) + 1,
            "started": moment,
            "seconds": round(seconds, 6),
            "phase": f"{self._round} round{'' if self._round == 1 else 's'}",
            **({"instances": len(self.records)} if self.records else {}),
        }
        if self.isolation and (findings := finding_of(self.isolation, self.records, self.run)):
            own["attempts"] = [{"verdict": verdict, "reason": reason, "stdout": "", "stderr": "", "findings": findings}]
        if verdict in PASSING or verdict == "skipped":
            own.pop("blocks", None)
        untested = [host for host in self.hosts if host not in self.tested]
        more = [missing_result(self.number, self.name, host, "skipped", UNTESTED, blocks=False) for host in untested]
        append(self.run.path, [own, *more])
        return [own, *more]


def _outcome_of(record: Record, absent: frozenset[str]) -> Outcome:
    """What a search learns of a result. What was not measured tells nothing of the hosts, only who was not there."""
    if record["verdict"] in PASSING:
        return Outcome(True)
    if record["verdict"] == "failed":
        return Outcome(False)
    return Outcome(None, absent)
