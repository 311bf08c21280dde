# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage on one host: its steps in order, in parallel where allowed, each tried, judged and recorded."""

from __future__ import annotations

import os
import select
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils import arguments
from ansible_collections.rack.recipes.plugins.module_utils.executor.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.executor.judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.executor.references import resolve
from ansible_collections.rack.recipes.plugins.module_utils.view import View, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.executor.launch import Launcher

    Write = Callable[[dict[str, Any]], None]

PASSING = ("passed", "marginal", "cached", "waived")
TICK = 1.0  # seconds between two looks at the lease


class Trial:
    """A step that is being tried: its attempts so far, and the one that runs or the time of the next."""

    def __init__(self, step: dict[str, Any]) -> None:
        self.step = step
        self.started = time.monotonic()
        self.time = now()
        self.attempts: list[dict[str, Any]] = []
        self.attempt: Attempt | None = None
        self.ctx: View | None = None
        self.next_try = 0.0


class Stage:
    """Runs the steps of a request; `write` receives each record, `alive` tells whether to go on."""

    def __init__(self, request: dict[str, Any], launcher: Launcher, write: Write, alive: Callable[[], bool]) -> None:
        self.request = request
        self.launcher = launcher
        self.write = write
        self.alive = alive
        self.verdicts: dict[str, str] = dict(request["settled"])
        self.waiting: list[dict[str, Any]] = list(request["steps"])
        self.names = {step["name"] for step in self.waiting}
        self.trials: list[Trial] = []
        self.poll = select.poll()
        self.owners: dict[int, Attempt] = {}

    def run(self) -> None:
        """Run every step to its verdict."""
        wake, self._wake = os.pipe()
        for end in (wake, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.poll.register(wake, select.POLLIN)
        self._start_ready()
        while self.trials or self.waiting:
            self._wait(wake)
            for trial in list(self.trials):
                self._advance(trial)
            if not self.alive():
                self._give_up()
            self._start_ready()

    def _wait(self, wake: int) -> None:
        due = [trial.attempt.deadline if trial.attempt else trial.next_try for trial in self.trials]
        soonest = min([time.monotonic() + TICK] + [moment for moment in due if moment is not None])
        for pipe, event in self.poll.poll(max(0, int((soonest - time.monotonic()) * 1000) + 1)):
            if pipe == wake:
                os.read(wake, 4096)
            elif not self.owners[pipe].read(pipe) and event & select.POLLHUP:
                self.poll.unregister(pipe)

    def _start_ready(self) -> None:
        """Start what may start now, in the order of the plan; settle what is blocked."""
        for step in list(self.waiting):
            if any(self._is_open(name) for name in step["depends_on"] + step["after"]):
                if step["parallel"]:
                    continue
                return
            cause = next(
                (name for name in step["depends_on"] if self.verdicts.get(name, "passed") not in PASSING), None
            )
            if cause is not None:
                self.waiting.remove(step)
                self._settle(step, "blocked", "%s did not pass (%s)" % (cause, self.verdicts[cause]))
            elif self._has_room(step):
                self.waiting.remove(step)
                self.trials.append(Trial(step))
                self._try(self.trials[-1])
            else:
                return

    def _is_open(self, name: str) -> bool:
        return name in self.names and name not in self.verdicts

    def _has_room(self, step: dict[str, Any]) -> bool:
        if not self.trials:
            return True
        together = step["parallel"] and all(trial.step["parallel"] for trial in self.trials)
        return together and len(self.trials) < self.request["slots"]

    def _try(self, trial: Trial) -> None:
        step = trial.step
        number = len(trial.attempts) + 1
        attempt = Attempt(number, step.get("timeout"), lambda source, event: self._take(trial, source, event))
        ctx = self._view(step, lambda event: self._take(trial, attempt, event))
        try:
            params = arguments.complete(step.get("options"), resolve(step["args"], ctx))
            stdin = self.launcher.stdin(step, ctx, params)
            attempt.start(stdin, self.launcher.work, self.launcher.become(step, ctx, params))
        except (ValueError, OSError) as error:
            self._finish(trial, "error", str(error))
            return
        trial.attempt, trial.ctx = attempt, ctx
        for pipe in attempt.pipes:
            self.owners[pipe] = attempt
            self.poll.register(pipe, select.POLLIN)

    def _view(self, step: dict[str, Any], emit: Write) -> View:
        context = self.request["context"]
        own = context["own"] if step["scope"] == "host" else context["run"]
        return View(step["name"], self.request["host"], step["scope"], own, context["run"], context["hosts"], emit)

    def _take(self, trial: Trial, attempt: Attempt, event: dict[str, Any]) -> None:
        """An event of a running step."""
        kind = event.pop("kind")
        if kind == "measurement":
            attempt.measurements.append(event)
        elif kind == "ending":
            attempt.ending = event
        else:
            context = self.request["context"]
            place = context["run"] if event["scope"] == "run" else context["own"]
            place[event["key"]] = [event["based_on"] + 1, event["after"]]
            self._record("delta", trial.step, attempt=attempt.number, **event)

    def _advance(self, trial: Trial) -> None:
        if trial.attempt is None:
            if time.monotonic() >= trial.next_try:
                self._try(trial)
            return
        pipes = list(trial.attempt.pipes)
        usage = trial.attempt.reap()
        if usage is None:
            trial.attempt.check_deadline()
            return
        for pipe in pipes:
            del self.owners[pipe]
            try:
                self.poll.unregister(pipe)
            except KeyError:
                pass  # it was at its end before
        verdict, reason = judge(trial.attempt, trial.ctx, trial.step["success"])
        trial.attempts.append(trial.attempt.record(verdict, reason, usage))
        self._conclude(trial, verdict, reason)

    def _conclude(self, trial: Trial, verdict: str, reason: str) -> None:
        """After an attempt: the step's verdict, or another try."""
        retry = trial.step["retry"]
        if verdict not in PASSING and len(trial.attempts) < retry["max"] and self.alive():
            trial.attempt = None
            trial.next_try = time.monotonic() + retry["delay_sec"]
        else:
            self._finish(trial, verdict, reason)

    def _finish(self, trial: Trial, verdict: str, reason: str) -> None:
        self.trials.remove(trial)
        measurements = trial.attempt.measurements if trial.attempt else []
        seconds = round(time.monotonic() - trial.started, 6)
        self._settle(trial.step, verdict, reason, trial.time, seconds, trial.attempts, measurements)

    def _settle(
        self,
        step: dict[str, Any],
        verdict: str,
        reason: str,
        started: str = "",
        seconds: float = 0.0,
        attempts: list[dict[str, Any]] | None = None,
        measurements: list[dict[str, Any]] | None = None,
    ) -> None:
        self.verdicts[step["name"]] = verdict
        self._record(
            "step",
            step,
            verdict=verdict,
            reason=reason,
            started=started or now(),
            seconds=seconds,
            attempts=attempts or [],
            measurements=measurements or [],
        )

    def _record(self, kind: str, step: dict[str, Any], **fields: Any) -> None:
        head = {"kind": kind, "stage": self.request["stage"], "n": 0, "host": self.request["host"]}
        self.write({**head, "step": step["name"], **fields})

    def _give_up(self) -> None:
        """The controller is gone: end what runs, and leave the rest untried."""
        for step in self.waiting:
            self._settle(step, "error", "not run: the controller was not heard of any more")
        self.waiting = []
        for trial in self.trials:
            if trial.attempt is None:
                trial.next_try = 0.0
            elif not trial.attempt.stopped:
                trial.attempt.stop("stopped: the controller was not heard of any more")
