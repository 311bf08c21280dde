# SPDX-License-Identifier: GPL-3.0-or-later

"""What few steps have around a try.

Retries, rounds of a repeated step and figures over them, hooks, and check mode, which tries nothing.
"""

from __future__ import annotations

import time

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete_arguments, find_wrong_names
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import (
    InvalidStep,
    judge,
    run_child,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import holds
from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import is_number, quantile
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, resolve
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, rank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Outcome, Record
    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import StepGenerator, StepRun
    from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import Number

KEPT = 10_000  # values of one measurement that are kept for its p95
LONGEST = 7 * 24 * 3600.0  # seconds


def retry_delay(retry: dict[str, Any], tries: int) -> float:
    """The seconds to wait after this many `tries` (1 or more).

    They grow by the factor `backoff` with each try, up to `max_delay_sec`, or up to a week where that is not given.
    """
    first = float(retry.get("delay_sec") or 0.0)
    most = retry.get("max_delay_sec")
    try:
        grown = first * float(retry.get("backoff") or 1.0) ** (tries - 1)
    except OverflowError:
        grown = LONGEST if first else 0.0
    return min(grown, LONGEST if most is None else float(most))


class RoundFigures:
    """Figures of every numeric measurement, over all rounds of a step."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}

    def add(self, measurements: Iterable[Record]) -> None:
        """Add the measurements of one round; a value that is no number is ignored."""
        for given in measurements:
            if is_number(given["value"]):
                name = given["name"], given.get("unit") or ""
                if name not in self._series:
                    self._series[name] = Series(given["value"])
                self._series[name].add(given["value"])

    def measurements(self) -> list[Record]:
        """`NAME.count`, `NAME.min` and so on, each a measurement with its unit; a count has no unit."""
        return [
            {"name": f"{name}.{figure}", "value": value, "unit": "" if figure == "count" else unit}
            for (name, unit), series in self._series.items()
            for figure, value in series.figures().items()
        ]


class Series:
    """The values of one measurement in a bounded memory.

    Mean and deviation are computed from the differences to the first value (Welford's method). So they keep their
    digits far from zero too. The deviation is the population's (divided by the count). Beyond 10,000 values there is
    no p95: the p95 of a part of the rounds would look like that of all.
    """

    def __init__(self, first: Number) -> None:
        self.count = 0
        self.min = self.max = self._first = first
        self._mean = 0.0
        self._squares = 0.0
        self._kept: list[Number] = []

    def add(self, value: Number) -> None:
        """Add one more value."""
        self.count += 1
        self.min, self.max = min(self.min, value), max(self.max, value)
        offset = value - self._first
        before = offset - self._mean
        self._mean += before / self.count
        self._squares += before * (offset - self._mean)
        if self.count <= KEPT:
            self._kept.append(value)

    def figures(self) -> dict[str, Number]:
        """Count, min, mean, max, stdev and p95, in this order. A figure that is too large for a number is left out."""
        mean = self._first + self._mean
        stdev = (self._squares / self.count) ** 0.5
        found: dict[str, Number] = {"count": self.count, "min": self.min, "mean": mean, "max": self.max, "stdev": stdev}
        if self.count <= KEPT:
            found["p95"] = quantile(self._kept, 0.95)
        return {figure: value for figure, value in found.items() if is_number(value)}


RETRIED = ("failed", "error")
AWAY = "unreachable"  # a device, which may be back soon: always tried again
NEVER = float("inf")
MOST_TOLD = 3  # reasons of failed tries
MOST = 20  # failures that are named; a step may be tried thousands of times


def retry(step_run: StepRun, params: Record | None, place: Record) -> StepGenerator:
    """Try until a try counts, or there were enough.

    What passes after a try that did not is a flake. It is `marginal` where that try had `failed`: what is under test
    was not as it must be, whatever came after. A try that could not be judged says nothing of it.
    """
    rule = step_run.step["retry"]
    most = rule.get("max", NEVER if "until" in rule or "deadline_sec" in rule else 1)
    deadline = time.monotonic() + rule.get("deadline_sec", NEVER)
    tries, has_failed = 0, False
    failures: dict[str, int] = {}  # the reasons of tries that failed, each with their number
    while True:
        tries += 1
        verdict, reason = yield from step_run.attempt(params, {**place, "try": tries} if tries > 1 else place)
        is_waiting = step_run.attempts[-1].get("waiting", False)
        moment = time.monotonic() + retry_delay(rule, tries)
        wants_more = is_waiting or verdict in (AWAY, *rule.get("on", RETRIED))
        if not wants_more or tries >= most or moment > deadline:
            if has_failed and verdict in PASSING:
                step_run.more["flake"] = True
            if failures and verdict == "passed" and rule.get("accept") != "passed":
                told = _after_failures(tries, failures)
                return "marginal", step_run.state.secrets.reason(told)  # a later try may have registered secrets
            return verdict, reason
        has_failed = has_failed or not (is_waiting or verdict in PASSING)
        if verdict == "failed" and not is_waiting and (reason in failures or len(failures) < MOST):
            failures[reason] = failures.get(reason, 0) + 1
        yield moment
        if step_run.state.lost:
            return verdict, reason
        params = None


def _after_failures(tries: int, failures: dict[str, int]) -> str:
    """The reason of a pass that came only at this try."""
    told = [f"{reason} ({number} times)" if number > 1 else reason for reason, number in failures.items()]
    return f"passed only at try {tries}, before it failed: {first_few(told, MOST_TOLD, '; ')}"


def repeat(step_run: StepRun, params: Record | None) -> StepGenerator:
    """Round after round for as long as they pass, with figures over all of them."""
    rule, figures = step_run.step["repeat"], RoundFigures()
    ends = time.monotonic() + rule.get("for_sec", NEVER)
    worst: Outcome | None = None
    rounds = step_run.more["rounds"] = {"count": 0, "passed": 0}
    try:
        while True:
            rounds["count"] += 1
            place = {"round": rounds["count"]} if rounds["count"] > 1 else {}
            outcome = yield from step_run.round(params, place)
            figures.add(step_run.measurements)
            rounds["passed"] += outcome[0] in PASSING
            worst = min(worst or outcome, outcome, key=lambda one: rank(one[0]))
            moment = time.monotonic() + rule.get("delay_sec", 0.0)
            is_last = rounds["count"] >= rule.get("count", NEVER) or moment >= ends
            end = outcome if outcome[0] not in PASSING else _end(step_run, worst, is_last=is_last)
            if end:
                return end
            yield moment
            if step_run.state.lost:
                return "error", f"stopped: {step_run.state.lost}"
            params = None
    finally:
        step_run.measurements = [*step_run.measurements, *figures.measurements()]


def _end(step_run: StepRun, worst: Outcome, *, is_last: bool) -> Outcome | None:
    """The outcome of all rounds, which passed, if there are to be no more."""
    until = step_run.step["repeat"].get("until")
    if not until:
        return worst if is_last else None
    try:
        missing = holds(until, step_run.scope)
    except ValueError as error:
        return "error", f"until: {error}"
    if not missing:
        return worst
    return ("failed", f"not yet after {step_run.more['rounds']['count']} rounds: {missing}") if is_last else None


def run_hooks(step_run: StepRun, when: str) -> StepGenerator:
    """Run the hooks of one kind, one after the other; the outcome says nothing."""
    for hook in () if step_run.state.lost else step_run.state.hooks.get(when, ()):
        try:
            verdict, reason = yield from _run(step_run, hook)
        except (InvalidStep, ValueError) as error:
            verdict, reason = "error", step_run.state.secrets.reason(str(error))
        named = step_run.more.get("hooks", [])
        bad = {"hook": hook["name"], "when": when, "verdict": verdict, "reason": reason}
        if verdict not in PASSING and bad not in named and len(named) < MOST:
            step_run.more["hooks"] = [*named, bad]
    return "passed", ""


def _run(step_run: StepRun, hook: Record) -> StepGenerator:
    """A hook is part of its step: it has its name, its scope and its time."""
    own = {name: step_run.step.get(name) for name in ("name", "scope", "timeout")}
    step = {**hook, **own}
    ctx = step_run.state.context.view(step)
    scope = Scope(ctx, step_run.state.params, {**step_run.step.get("words", {}), "step": step_run.about})
    params = complete_arguments(step.get("options"), resolve(step.get("args") or {}, scope))
    step_run.state.secrets.add_arguments(step.get("options"), params)

    def change(made: Record) -> None:
        who = hook["name"] if made["who"] == step["name"] else made["who"]
        step_run.state.change(step["name"], step_run.tries, {**made, "who": who})

    attempt = yield from run_child(step_run.state, step, ctx, params, change)
    verdict, reason = judge(attempt, ctx, scope, {"none": True}, step_run.state.secrets)
    step_run.count_secrets(attempt)
    step_run.hooked += attempt.measurements
    return verdict, reason


RIGHT = "check mode: its arguments are right"
UNKNOWN = "check mode: its arguments need what only a run gives: "


def check_arguments(step_run: StepRun) -> StepGenerator:
    """`skipped` where the step could run, as far as can be told before, `error` where it could not."""
    step_run.passes_dependents = True
    step, options = step_run.step, step_run.step.get("options")
    for name, problem in find_wrong_names(options, step["args"]) if options is not None else ():
        raise InvalidStep(f"argument {name!r} {problem}")
    try:
        args = resolve(step["args"], step_run.scope)
    except ValueError as error:
        return "skipped", f"{UNKNOWN}{error}"
    try:
        params = complete_arguments(options, args)
    except ValueError as error:
        raise InvalidStep(str(error)) from None
    step_run.state.secrets.add_arguments(options, params)
    if step["kind"] != "python":
        return "skipped", RIGHT
    attempt = yield from run_child(step_run.state, step, step_run.ctx, params, lambda _change: None, "validate")
    verdict, reason = judge(attempt, step_run.ctx, step_run.scope, {"none": True}, step_run.state.secrets)
    return ("skipped", RIGHT) if verdict == "passed" else ("error", reason)
