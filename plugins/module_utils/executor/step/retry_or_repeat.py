# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A step that is done again: tried until a try counts, or repeated for as long as it passes."""

from __future__ import annotations

import time

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import holds
from ansible_collections.rack.recipes.plugins.module_utils.language.retry_and_repeat import RoundFigures, delay
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import ORDER, PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.types import (
        Outcome,
        StepGenerator,
        StepRun,
    )

    Record = dict[str, Any]

RETRIED = ("failed", "error")
AWAY = "unreachable"  # a device, which may be back soon: always tried again
NEVER = float("inf")


def retry(step_run: StepRun, params: Record | None, place: Record) -> StepGenerator:
    """Try until a try counts, or there were enough; what passes after it had failed is a flake."""
    rule = step_run.step["retry"]
    most = rule.get("max", NEVER if "until" in rule or "deadline_sec" in rule else 1)
    deadline = time.monotonic() + rule.get("deadline_sec", NEVER)
    tries, has_failed = 0, False
    while True:
        tries += 1
        verdict, reason = yield from step_run.attempt(params, {**place, "try": tries} if tries > 1 else place)
        is_waiting = step_run.attempts[-1].get("waiting", False)
        moment = time.monotonic() + delay(rule, tries)
        wants_more = is_waiting or verdict in (AWAY, *rule.get("on", RETRIED))
        if not wants_more or tries >= most or moment > deadline:
            if has_failed and verdict in PASSING:
                step_run.more["flake"] = True
            return verdict, reason
        has_failed = has_failed or not (is_waiting or verdict in PASSING)
        yield moment
        if step_run.state.lost:
            return verdict, reason
        params = None


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
            worst = min(worst or outcome, outcome, key=_badness)
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


def _badness(outcome: Outcome) -> int:
    return ORDER.index(outcome[0])


def _end(step_run: StepRun, worst: Outcome, *, is_last: bool) -> Outcome | None:
    """The outcome of all rounds, which passed, if there are to be no more."""
    until = step_run.step["repeat"].get("until")
    if is_last and not until:
        return worst
    if not until:
        return None
    try:
        missing = holds(until, step_run.scope)
    except ValueError as error:
        return "error", f"until: {error}"
    if not missing:
        return worst
    return ("failed", f"not yet after {step_run.more['rounds']['count']} rounds: {missing}") if is_last else None
