# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one stage on one host.

Its steps in order, in parallel where that is allowed, each run, judged and recorded; or one scriptlet by itself, as
an Ansible module.
"""

from __future__ import annotations

import os
import select
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import (
    HostLocks,
    Scheduler,
    StartConditions,
)
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import StageState
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import StepRun
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import waive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import Scriptlet
    from ansible_collections.rack.recipes.plugins.module_utils.executor.looped_step import LoopGroup
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Outcome, Record, Step
    from ansible_collections.rack.recipes.plugins.module_utils.executor.serving_side import ServingSide
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import TriedStep

# `invalid` is why the step cannot be run.
OF_STEP = (
    *("name", "args", "depends_on", "after", "scope", "timeout", "parallel", "success", "when", "loop", "matrix"),
    *("retry", "repeat", "continue_on_fail", "always", "priority", "tags", "locks", "limits", "sandbox", "skip"),
    "invalid",
)
OF_PROGRAM = (
    *("kind", "options", "reads", "digest", "module", "function", "file", "flags", "class", "call"),
    *("reads_results", "reads_history", "library", "live", "words", "serves", "patterns"),
)
FIELDS = frozenset((*OF_STEP, *OF_PROGRAM))


def check_fields(steps: Iterable[dict[str, object]]) -> None:
    """Raise ValueError for a field of a step that is unknown here."""
    for step in steps:
        if not step.keys() <= FIELDS:
            unknown = ", ".join(sorted(step.keys() - FIELDS))
            raise ValueError(f"step {step['name']!r} has fields that this executor does not know: {unknown}")


# What a step has where its recipe does not say it.
USUAL: Step = {
    "args": {},
    "depends_on": (),
    "after": (),
    "scope": "host",
    "timeout": None,
    "parallel": False,
    "success": {},
}


def read_step(step: Step) -> Step:
    """A step as it runs, out of one in the words of a recipe: with its defaults, without what is not set."""
    found = dict(USUAL)
    for name, value in step.items():
        if value is not None and (value is not False or name == "when"):
            found[name] = READ[name](value) if name in READ else value
    return found


def _set(part: Record) -> Record:
    return {name: value for name, value in part.items() if value is not None}


READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("retry", "repeat", "limits"), _set),
    "sandbox": lambda said: {} if said is True else _set(said),
    "success": lambda said: {"none": True} if said == "none" else said,
    "when": lambda said: [said] if isinstance(said, dict) else said,
}


class ChildSignal:
    """A context manager with the descriptor of a pipe that becomes readable as soon as a child has ended."""

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
        request = {**request, "steps": [read_step(step) for step in request["steps"]]}
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
        self.serving: ServingSide | None = None
        self.next_look = time.monotonic() + TICK

    def run(self) -> None:
        """Run every step to its verdict, in this process's working folder: what is spawned cannot be given another."""
        try:
            with ChildSignal() as ended:
                self.poll.register(ended, select.POLLIN)
                self._start_ready()
                while self.step_runs or (
                    self.locks.are_settling and not self.state.lost
                ):  # the next stage may use them
                    self._wait(ended)
                    self._look_around()
                    self._start_ready()
        finally:
            self._end_all()
            self.state.close()

    def _wait(self, ended: int) -> None:
        """Sleep until a child ends, or something is due; take what was printed."""
        served = [self.serving.due] if self.serving else []
        due = min([self.next_look, self.locks.due, *served, *(_due(step_run.waits_for) for step_run in self.step_runs)])
        for pipe, _event in self.poll.poll(max(0, int((due - time.monotonic()) * 1000) + 1)):
            if pipe == ended:
                os.read(ended, 4096)
                self.has_child_ended = True
            elif not self.readers[pipe].read(pipe):
                self._unwatch(pipe)

    def _look_around(self) -> None:
        """Check the lease, and each step that runs."""
        moment = time.monotonic()
        if self.serving and moment >= self.serving.due:
            self.next_look = moment  # its end is asked for as soon as the others have measured
            self.serving.look(moment)
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
            running = [step_run.step for step_run in self.step_runs]
            together = len(running) < self.slots and all(each["parallel"] for each in (step, *running))
            if settled is None and running and not together:
                return
            missing = "" if settled else self.locks.missing(step)
            if missing:
                self.schedule.park(missing)
            else:
                self._start(self.schedule.pop(), settled or self.conditions.closed(step))
            step = self.schedule.next()
        if not self.step_runs and not self.locks.are_settling:
            self._drop(NEVER_STARTS)

    def _start(self, step: Step, settled: Outcome | None) -> None:
        if settled:
            self._settle(step, *settled)
        elif "loop" in step or "matrix" in step:
            self._unfold(step)
        else:
            self.locks.acquire(step)
            if "serves" in step:
                from ansible_collections.rack.recipes.plugins.module_utils.executor.serving_side import ServingSide

                self.serving = ServingSide(step, self.state.records)
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
        names = [step[name] for name in ("name", "parent") if name in step]
        shown = self.state.secrets.reason(reason)
        waived = waive(self.state.waivers, names, verdict, shown, tried.measurements)
        if waived is None:
            return verdict, reason
        tried.more["waived"] = waived.record
        return waived.verdict, waived.reason

    def _drop(self, reason: str, of_loop: str = "error") -> None:
        """Settle all that has not begun; `of_loop` is the verdict of an instance, whose step has begun."""
        for step in self.schedule.drop():
            self._settle(step, of_loop if "parent" in step else "error", reason)

    def give_up(self) -> None:
        """End what runs, and start nothing more: the controller is gone, or wants the end."""
        reason = self.state.lost = self.halted() or LOST
        self._drop(f"not run: {reason}", of_loop="blocked")
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
                from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import (
                    kill_processes,
                )

                kill_processes(range(attempt.mark, attempt.mark + 1), attempt.pid)
                attempt.finish()
        self.state.marks.remove()


def _due(waits_for: Attempt | float) -> float:
    return waits_for if isinstance(waits_for, float) else waits_for.due


ATTACHED = ("name", "sha256", "size")


def run_single(scriptlet: type[Scriptlet], params: dict[str, object]) -> dict[str, Any]:
    """Verdict, reason, `context` (the keys set), measurements, stdout and stderr of one run of `scriptlet`.

    Without a run there is nowhere to keep what it attaches: `artifacts` has name, size and digest of each, if any.
    """
    records: list[dict[str, Any]] = []
    request = _request(scriptlet, params)
    StageRun(request, Launcher(request, work=os.getcwd(), cache=""), records.append, lambda: True).run()
    last = records[-1]
    tried = last["attempts"][-1] if last["attempts"] else {"stdout": "", "stderr": ""}
    attached = [{name: each[name] for name in ATTACHED} for each in records if each["kind"] == "artifact"]
    return {
        "verdict": last["verdict"],
        "reason": last["reason"],
        "context": {record["key"]: record["after"] for record in records if record["kind"] == "delta"},
        "measurements": last["measurements"],
        **({"artifacts": attached} if attached else {}),
        "stdout": tried["stdout"],
        "stderr": tried["stderr"],
    }


def _request(scriptlet: type[Scriptlet], params: dict[str, object]) -> dict[str, Any]:
    """A stage of one step."""
    step = {
        "name": scriptlet.__name__,
        "kind": "python",
        "class": scriptlet,
        "args": {name: value for name, value in params.items() if value is not None},
        "options": scriptlet.options,
        "scope": scriptlet.scope,
        "success": {"none": True},
    }
    context: dict[str, Any] = {"own": {}, "run": {}, "hosts": {}}
    return {"run": "", "stage": 1, "host": "", "settled": {}, "steps": [step], "slots": 1, "context": context}
