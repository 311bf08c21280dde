# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one stage on one host: its steps in order, in parallel where that is allowed, each run, judged and recorded."""

from __future__ import annotations

import os
import select
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.check_step_fields import check_fields
from ansible_collections.rack.recipes.plugins.module_utils.executor.host_locks import HostLocks
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.sigchld import ChildSignal
from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Scheduler
from ansible_collections.rack.recipes.plugins.module_utils.executor.shared_by_steps import StageState
from ansible_collections.rack.recipes.plugins.module_utils.executor.start_conditions import StartConditions
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import StepRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
    from ansible_collections.rack.recipes.plugins.module_utils.executor.looped_step import LoopGroup
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.record_writer import TriedStep
    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.types import Outcome

    Record = dict[str, Any]
    Step = dict[str, Any]

TICK = 1.0  # seconds between two looks at the lease
LOST = "the controller was not heard of any more"
NEVER_STARTS = "cannot start: what it waits for cannot start before it"


class StageRun:
    """Runs the steps of a request; `write` receives each record.

    `alive` says whether to go on. `halted` says why the controller wants the end, if it does. Raises ValueError
    where a step has a field that the executor does not know.
    """

    def __init__(
        self,
        request: dict[str, Any],
        launcher: Launcher,
        write: Callable[[Record], None],
        alive: Callable[[], bool],
        halted: Callable[[], str] = str,
    ) -> None:
        check_fields(request["steps"])
        self.state = StageState(request, launcher, write)
        self.alive = alive
        self.halted = halted
        self.slots: int = request["slots"]
        self.conditions = StartConditions(request)
        self.locks = HostLocks(request.get("locks") or {})
        self.schedule = Scheduler(request["steps"])
        self.step_runs: list[StepRun] = []
        self.loop_groups: dict[str, LoopGroup] = {}
        self.poll = select.poll()
        self.readers: dict[int, Attempt] = {}
        self.has_child_ended = False
        self.next_look = time.monotonic() + TICK

    def run(self) -> None:
        """Run every step to its verdict, in this process's working folder: what is spawned cannot be given another."""
        try:
            with ChildSignal() as ended:
                self.poll.register(ended, select.POLLIN)
                self._start_ready()
                while self.step_runs or self._has_to_settle():
                    self._wait(ended)
                    self._look_around()
                    self._start_ready()
        finally:
            self._end_all()
            self.state.close()

    def _has_to_settle(self) -> bool:
        """Whether a resource still has to settle: the next stage may use it at once."""
        return self.locks.are_settling and not self.state.lost

    def _wait(self, ended: int) -> None:
        """Sleep until a child ends, or something is due; take what was printed."""
        due = min([self.next_look, self.locks.due, *(_due(step_run.waits_for) for step_run in self.step_runs)])
        for pipe, _event in self.poll.poll(max(0, int((due - time.monotonic()) * 1000) + 1)):
            if pipe == ended:
                os.read(ended, 4096)
                self.has_child_ended = True
            elif not self.readers[pipe].read(pipe):
                self._unwatch(pipe)

    def _look_around(self) -> None:
        """Check the lease, and each step that runs."""
        moment = time.monotonic()
        if moment >= self.next_look:
            self.next_look = moment + TICK
            self.has_child_ended = True  # a signal may have been lost
            if not self.alive():
                self.give_up()
        for step_run in list(self.step_runs):
            waits_for = step_run.waits_for
            if isinstance(waits_for, float):
                if moment >= waits_for:
                    self._advance(step_run)
            elif self.has_child_ended or moment >= waits_for.due:
                self._look_at(step_run, waits_for)
        self.has_child_ended = False

    def _look_at(self, step_run: StepRun, attempt: Attempt) -> None:
        """Check whether a child has ended, its time is up, or its pipes have to be read from now on."""
        if attempt.has_ended():
            for pipe in attempt.pipes:
                self._unwatch(pipe)
            self._advance(step_run)
        elif attempt.check():
            for pipe in attempt.pipes:
                self.readers[pipe] = attempt
                self.poll.register(pipe, select.POLLIN)

    def _unwatch(self, pipe: int) -> None:
        if self.readers.pop(pipe, None):
            self.poll.unregister(pipe)

    def _start_ready(self) -> None:
        """Start what may start now, in the order of the plan. What is blocked, or can never start, gets its verdict."""
        for resource in self.locks.freed():
            self.schedule.unpark(resource)
        step = self.schedule.next()
        while step is not None:
            settled = self.conditions.blocked(step)
            if settled is None and not self._has_room(step):
                return
            missing = "" if settled else self.locks.missing(step)
            if missing:
                self.schedule.park(missing)
            else:
                self._start(self.schedule.pop(), settled or self.conditions.closed(step))
            step = self.schedule.next()
        if not self.step_runs and not self.locks.are_settling:
            self._drop(NEVER_STARTS)

    def _has_room(self, step: Step) -> bool:
        if not self.step_runs:
            return True
        together = step["parallel"] and all(step_run.step["parallel"] for step_run in self.step_runs)
        return together and len(self.step_runs) < self.slots

    def _start(self, step: Step, settled: Outcome | None) -> None:
        if settled:
            self._settle(step, *settled)
        elif "loop" in step or "matrix" in step:
            self._unfold(step)
        else:
            self.locks.acquire(step)
            self.step_runs.append(StepRun(step, self.state))
            self._advance(self.step_runs[-1])

    def _advance(self, step_run: StepRun) -> None:
        """Advance a step until it has to wait. At its end it has its verdict."""
        outcome = step_run.advance()
        if outcome:
            self.step_runs.remove(step_run)
            self.locks.release(step_run.step)
            self._settle(step_run.step, *outcome, step_run)

    def _unfold(self, step: Step) -> None:
        """Put the instances of a looped step in its place."""
        from ansible_collections.rack.recipes.plugins.module_utils.executor.looped_step import LoopGroup

        loop_group = LoopGroup(step, self.state)
        outcome = loop_group.unfold()
        if outcome:
            self._settle(step, *outcome, loop_group)
            return
        found = loop_group.reused()
        for reused in found[:-1]:
            self._settle({**step, "name": reused.name, "parent": step["name"]}, reused.verdict, reused.reason, reused)
        for own in found[-1:]:
            self._settle(step, own.verdict, own.reason, own)
        if not found:
            self.loop_groups[step["name"]] = loop_group
            self.schedule.expand(step, loop_group.instances)

    def _settle(self, step: Step, verdict: str, reason: str, tried: TriedStep | None = None) -> None:
        """Record a step's verdict; `tried` is what ran, None where nothing did."""
        if tried is not None and self.state.waivers:
            verdict, reason = self._waived(step, verdict, reason, tried)
        blocks = self.conditions.end(step, verdict, passes_dependents=tried is not None and tried.passes_dependents)
        self.state.records.step(step, verdict, reason, tried, blocks=blocks)
        if "parent" not in step:
            self.schedule.end(step["name"])
        elif step["parent"] in self.loop_groups:
            loop_group = self.loop_groups[step["parent"]]
            outcome = loop_group.end(step, verdict, reason, tried)
            if outcome:
                self._settle(loop_group.step, *outcome, loop_group)

    def _waived(self, step: Step, verdict: str, reason: str, tried: TriedStep) -> Outcome:
        """Verdict and reason after the waivers. Nobody has accepted what the controller itself ended."""
        if self.state.lost:
            return verdict, reason
        from ansible_collections.rack.recipes.plugins.module_utils.waiving import waive

        names = [step[name] for name in ("name", "parent") if name in step]
        shown = self.state.secrets.reason(reason)
        waived = waive(self.state.waivers, names, verdict, shown, tried.measurements)
        if waived is None:
            return verdict, reason
        tried.more["waived"] = waived.record
        return waived.verdict, waived.reason

    def _drop(self, reason: str) -> None:
        for step in self.schedule.drop():
            self._settle(step, "error", reason)

    def give_up(self) -> None:
        """End what runs, and start nothing more: the controller is gone, or wants the end."""
        reason = self.state.lost = self.halted() or LOST
        self._drop(f"not run: {reason}")
        for step_run in self.step_runs:
            if isinstance(step_run.waits_for, float):
                step_run.waits_for = time.monotonic()
            elif not step_run.waits_for.stopped:
                step_run.waits_for.stop(f"stopped: {reason}")

    def _end_all(self) -> None:
        """Kill the processes of all steps that still run, as after a failure of the executor itself."""
        for step_run in self.step_runs:
            attempt = step_run.waits_for
            if not isinstance(attempt, float) and attempt.usage is None:
                from ansible_collections.rack.recipes.plugins.module_utils.executor.process.reaper import end_all

                end_all(range(attempt.mark, attempt.mark + 1), attempt.pid)
                attempt.finish()
        self.state.marks.remove()


def _due(waits_for: Attempt | float) -> float:
    return waits_for if isinstance(waits_for, float) else waits_for.due
