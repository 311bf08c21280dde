# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage on one host: its steps in order, in parallel where allowed, each tried, judged and recorded."""

from __future__ import annotations

import os
import select
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.arguments import complete
from ansible_collections.rack.recipes.plugins.module_utils.executor.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.executor.judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.executor.references import resolve
from ansible_collections.rack.recipes.plugins.module_utils.executor.schedule import Schedule
from ansible_collections.rack.recipes.plugins.module_utils.values import as_reason
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.module_utils.view import View, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.launch import Launcher

    Record = dict[str, Any]
    Step = dict[str, Any]

TICK = 1.0  # seconds between two looks at the lease
LOST = "the controller was not heard of any more"


class Trial:
    """A step that is being tried: its attempts so far, and the one that runs or the time of the next."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.started = time.monotonic()
        self.time = now()
        self.attempts: list[Record] = []
        self.measurements: list[Record] = []
        self.running: tuple[Attempt, View] | None = None
        self.next_try = 0.0

    @property
    def due(self) -> float | None:
        """When it has to be looked at again, if nothing happens before."""
        return self.next_try if self.running is None else self.running[0].deadline


class ChildSignal:
    """A pipe that can be read as soon as a child has ended."""

    def __enter__(self) -> int:
        self._ends = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._ends[1], warn_on_full_buffer=False)
        self._handler = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self._ends[0]

    def __exit__(self, *_error: object) -> None:
        signal.signal(signal.SIGCHLD, self._handler or signal.SIG_DFL)
        signal.set_wakeup_fd(self._wakeup)
        for end in self._ends:
            os.close(end)


class Stage:
    """Runs the steps of a request; `write` receives each record, `alive` tells whether to go on."""

    def __init__(
        self,
        request: dict[str, Any],
        launcher: Launcher,
        write: Callable[[Record], None],
        alive: Callable[[], bool],
    ) -> None:
        self.request = request
        self.launcher = launcher
        self.write = write
        self.alive = alive
        self.verdicts: dict[str, str] = dict(request["settled"])
        self.schedule = Schedule(request["steps"])
        self.trials: list[Trial] = []
        self.poll = select.poll()
        self.readers: dict[int, Attempt] = {}

    def run(self) -> None:
        """Run every step to its verdict, in this process's working folder: what is spawned cannot be given another."""
        try:
            with ChildSignal() as ended:
                self.poll.register(ended, select.POLLIN)
                self._start_ready()
                while self.trials:
                    self._wait(ended)
                    for trial in list(self.trials):
                        self._advance(trial)
                    if not self.alive():
                        self._give_up()
                    self._start_ready()
        finally:
            self._kill_all()

    def _wait(self, ended: int) -> None:
        """Sleep until a child prints or ends, or a trial is due; take what was printed."""
        due = [moment for moment in (trial.due for trial in self.trials) if moment is not None]
        pause = min([TICK, *(moment - time.monotonic() for moment in due)])
        for pipe, event in self.poll.poll(max(0, int(pause * 1000) + 1)):
            if pipe == ended:
                os.read(ended, 4096)
            elif not self.readers[pipe].read(pipe) and event & select.POLLHUP:
                self._unwatch(pipe)

    def _start_ready(self) -> None:
        """Start what may start now, in the order of the plan; settle what is blocked, or can never start."""
        step = self.schedule.next()
        while step is not None:
            cause = next((name for name in step["depends_on"] if self._has_not_passed(name)), None)
            if cause is not None:
                self._settle(self.schedule.take(), "blocked", f"{cause} did not pass ({self.verdicts[cause]})")
            elif self._has_room(step):
                self.trials.append(Trial(self.schedule.take()))
                self._try(self.trials[-1])
            else:
                return
            step = self.schedule.next()
        if not self.trials:
            self._drop("cannot start: what it waits for cannot start before it")

    def _has_not_passed(self, name: str) -> bool:
        return self.verdicts.get(name, "passed") not in PASSING

    def _has_room(self, step: Step) -> bool:
        if not self.trials:
            return True
        together = step["parallel"] and all(trial.step["parallel"] for trial in self.trials)
        return together and len(self.trials) < self.request["slots"]

    def _try(self, trial: Trial) -> None:
        """Begin an attempt; where the arguments do not fit, or there is no room for it, the step has its verdict."""
        step = trial.step
        attempt = Attempt(len(trial.attempts) + 1, step.get("timeout"), lambda *change: self._take(step, *change))
        ctx = self._view(step, attempt)
        try:
            params = complete(step.get("options"), resolve(step["args"], ctx))
            stdin, program = self.launcher.stdin(step, ctx, params), self.launcher.program(step, ctx, params)
            attempt.start(stdin, program)
        except (ValueError, OSError) as error:
            self._finish(trial, "error", _told(error))
            return
        trial.running = attempt, ctx
        for pipe in attempt.pipes:
            self.readers[pipe] = attempt
            self.poll.register(pipe, select.POLLIN)

    def _view(self, step: Step, attempt: Attempt) -> View:
        context = self.request["context"]
        own = context["own"] if step["scope"] == "host" else context["run"]
        host, others = self.request["host"], context["hosts"]
        return View(step["name"], host, step["scope"], own, context["run"], others, attempt.take)

    def _take(self, step: Step, attempt: Attempt, change: Record) -> None:
        """A change of the context, by a running step or by its envelope."""
        context = self.request["context"]
        place = context["run"] if change["scope"] == "run" else context["own"]
        version = place[change["key"]][0] if change["key"] in place else 0
        place[change["key"]] = [version + 1, change["after"]]
        self._record("delta", step, attempt=attempt.number, **change)

    def _advance(self, trial: Trial) -> None:
        if trial.running is None:
            if time.monotonic() >= trial.next_try:
                self._try(trial)
            return
        attempt, ctx = trial.running
        if attempt.has_ended():
            self._end(trial, attempt, ctx)
        else:
            attempt.check_deadline()

    def _end(self, trial: Trial, attempt: Attempt, ctx: View) -> None:
        """An attempt has ended: the step's verdict, or another try."""
        for pipe in attempt.pipes:
            self._unwatch(pipe)
        usage = attempt.finish()
        verdict, reason = judge(attempt, ctx, trial.step["success"])
        trial.attempts.append(attempt.record(verdict, reason, usage))
        trial.measurements = attempt.measurements
        trial.running = None
        retry = trial.step["retry"]
        if verdict not in PASSING and len(trial.attempts) < retry["max"] and self.alive():
            trial.next_try = time.monotonic() + retry["delay_sec"]
        else:
            self._finish(trial, verdict, reason)

    def _unwatch(self, pipe: int) -> None:
        if self.readers.pop(pipe, None):
            self.poll.unregister(pipe)

    def _finish(self, trial: Trial, verdict: str, reason: str) -> None:
        self.trials.remove(trial)
        self._settle(trial.step, verdict, reason, trial)

    def _settle(self, step: Step, verdict: str, reason: str, trial: Trial | None = None) -> None:
        """Record a step's verdict; without a `trial` it was not tried."""
        self.verdicts[step["name"]] = verdict
        self.schedule.end(step["name"])
        self._record(
            "step",
            step,
            verdict=verdict,
            reason=as_reason(reason),
            started=trial.time if trial else now(),
            seconds=round(time.monotonic() - trial.started, 6) if trial else 0.0,
            attempts=trial.attempts if trial else [],
            measurements=trial.measurements if trial else [],
        )

    def _record(self, kind: str, step: Step, **fields: Any) -> None:
        head = {"kind": kind, "stage": self.request["stage"], "n": 0, "host": self.request["host"]}
        self.write({**head, "step": step["name"], **fields})

    def _drop(self, reason: str) -> None:
        for step in self.schedule.drop():
            self._settle(step, "error", reason)

    def _give_up(self) -> None:
        """The controller is gone: end what runs, and leave the rest untried."""
        self._drop(f"not run: {LOST}")
        for trial in list(self.trials):
            if trial.running is None:
                self._finish(trial, trial.attempts[-1]["verdict"], trial.attempts[-1]["reason"])
            elif not trial.running[0].stopped:
                trial.running[0].stop(f"stopped: {LOST}")

    def _kill_all(self) -> None:
        """Leave nothing behind where the executor itself fails."""
        for trial in self.trials:
            if trial.running is not None:
                trial.running[0].kill(signal.SIGKILL)


def _told(error: ValueError | OSError) -> str:
    """The error for people, as a shell would say it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
