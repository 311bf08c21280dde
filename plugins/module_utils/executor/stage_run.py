# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage on one host: its steps in order, in parallel where allowed, each tried, judged and recorded."""

from __future__ import annotations

import os
import select
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.host_locks import Locks
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.sigchld import ChildSignal
from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Schedule
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import Bench
from ansible_collections.rack.recipes.plugins.module_utils.executor.start_conditions import Gate
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import Trial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Union

    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.launcher import Launcher
    from ansible_collections.rack.recipes.plugins.module_utils.executor.loop_group import Family
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.reuse import Reused

    Record = dict[str, Any]
    Step = dict[str, Any]
    Outcome = tuple[str, str]
    Tried = Union[Trial, Family, Reused]

TICK = 1.0  # seconds between two looks at the lease
LOST = "the controller was not heard of any more"
NEVER_STARTS = "cannot start: what it waits for cannot start before it"


class Stage:
    """Runs the steps of a request; `write` receives each record.

    `alive` tells whether to go on, `halted` why not, empty where the controller has said nothing.
    """

    def __init__(
        self,
        request: dict[str, Any],
        launcher: Launcher,
        write: Callable[[Record], None],
        alive: Callable[[], bool],
        halted: Callable[[], str] = str,
    ) -> None:
        self.bench = Bench(request, launcher, write)
        self.alive = alive
        self.halted = halted
        self.slots: int = request["slots"]
        self.gate = Gate(request)
        self.locks = Locks(request.get("locks") or {})
        self.schedule = Schedule(request["steps"])
        self.trials: list[Trial] = []
        self.families: dict[str, Family] = {}
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
                while self.trials or self._has_to_settle():
                    self._wait(ended)
                    self._look_around()
                    self._start_ready()
        finally:
            self._end_all()

    def _has_to_settle(self) -> bool:
        """Whoever comes after this stage may use its resources at once."""
        return self.locks.are_settling and not self.bench.lost

    def _wait(self, ended: int) -> None:
        """Sleep until a child ends, or something is due; take what was printed."""
        due = min([self.next_look, self.locks.due, *(_due(trial.waits_for) for trial in self.trials)])
        for pipe, _event in self.poll.poll(max(0, int((due - time.monotonic()) * 1000) + 1)):
            if pipe == ended:
                os.read(ended, 4096)
                self.has_child_ended = True
            elif not self.readers[pipe].read(pipe):
                self._unwatch(pipe)

    def _look_around(self) -> None:
        """See what has become of the lease and of each trial."""
        moment = time.monotonic()
        if moment >= self.next_look:
            self.next_look = moment + TICK
            self.has_child_ended = True  # a signal may have been lost
            if not self.alive():
                self._give_up()
        for trial in list(self.trials):
            waits_for = trial.waits_for
            if isinstance(waits_for, float):
                if moment >= waits_for:
                    self._go_on(trial)
            elif self.has_child_ended or moment >= waits_for.due:
                self._look_at(trial, waits_for)
        self.has_child_ended = False

    def _look_at(self, trial: Trial, attempt: Attempt) -> None:
        """A child may have ended, its time may be up, or it has run for so long that its output has to be taken."""
        if attempt.has_ended():
            for pipe in attempt.pipes:
                self._unwatch(pipe)
            self._go_on(trial)
        elif attempt.check():
            for pipe in attempt.pipes:
                self.readers[pipe] = attempt
                self.poll.register(pipe, select.POLLIN)

    def _unwatch(self, pipe: int) -> None:
        if self.readers.pop(pipe, None):
            self.poll.unregister(pipe)

    def _start_ready(self) -> None:
        """Start what may start now, in the order of the plan; settle what is blocked, or can never start."""
        for resource in self.locks.settled():
            self.schedule.unpark(resource)
        step = self.schedule.next()
        while step is not None:
            settled = self.gate.blocked(step)
            if settled is None and not self._has_room(step):
                return
            missing = "" if settled else self.locks.missing(step)
            if missing:
                self.schedule.park(missing)
            else:
                self._start(self.schedule.take(), settled or self.gate.closed(step))
            step = self.schedule.next()
        if not self.trials and not self.locks.are_settling:
            self._drop(NEVER_STARTS)

    def _has_room(self, step: Step) -> bool:
        if not self.trials:
            return True
        together = step["parallel"] and all(trial.step["parallel"] for trial in self.trials)
        return together and len(self.trials) < self.slots

    def _start(self, step: Step, settled: Outcome | None) -> None:
        if settled:
            self._settle(step, *settled)
        elif "loop" in step or "matrix" in step:
            self._unfold(step)
        else:
            self.locks.take(step)
            self.trials.append(Trial(step, self.bench))
            self._go_on(self.trials[-1])

    def _go_on(self, trial: Trial) -> None:
        """Let a trial live until it has to wait; at its end the step has its verdict."""
        outcome = trial.go_on()
        if outcome:
            self.trials.remove(trial)
            self.locks.give_back(trial.step)
            self._settle(trial.step, *outcome, trial)

    def _unfold(self, step: Step) -> None:
        """Put the instances of a looped step in its place."""
        from ansible_collections.rack.recipes.plugins.module_utils.executor.loop_group import Family

        family = Family(step, self.bench)
        outcome = family.unfold()
        if outcome:
            self._settle(step, *outcome, family)
            return
        found = family.reused()
        for reused in found[:-1]:
            self._settle({**step, "name": reused.name, "parent": step["name"]}, reused.verdict, reused.reason, reused)
        for own in found[-1:]:
            self._settle(step, own.verdict, own.reason, own)
        if not found:
            self.families[step["name"]] = family
            self.schedule.expand(step, family.instances)

    def _settle(self, step: Step, verdict: str, reason: str, tried: Tried | None = None) -> None:
        """Record a step's verdict, as it was `tried` or not."""
        blocks = self.gate.end(step, verdict, lets_pass=tried is not None and tried.lets_pass)
        self.bench.records.step(step, verdict, reason, tried, blocks=blocks)
        if "parent" not in step:
            self.schedule.end(step["name"])
        elif step["parent"] in self.families:
            family = self.families[step["parent"]]
            outcome = family.end(step, verdict, reason, tried)
            if outcome:
                self._settle(family.step, *outcome, family)

    def _drop(self, reason: str) -> None:
        for step in self.schedule.drop():
            self._settle(step, "error", reason)

    def _give_up(self) -> None:
        """The controller is gone, or wants it: end what runs, and leave the rest untried."""
        reason = self.bench.lost = self.halted() or LOST
        self._drop(f"not run: {reason}")
        for trial in self.trials:
            if isinstance(trial.waits_for, float):
                trial.waits_for = time.monotonic()
            elif not trial.waits_for.stopped:
                trial.waits_for.stop(f"stopped: {reason}")

    def _end_all(self) -> None:
        """Leave nothing behind where the executor itself fails."""
        for trial in self.trials:
            attempt = trial.waits_for
            if not isinstance(attempt, float) and attempt.usage is None:
                from ansible_collections.rack.recipes.plugins.module_utils.executor.process.reaper import end_all

                end_all(range(attempt.mark, attempt.mark + 1), attempt.pid)
                attempt.finish()
        self.bench.marks.remove()


def _due(waits_for: Attempt | float) -> float:
    return waits_for if isinstance(waits_for, float) else waits_for.due
