# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scriptlets that run before and after each try of a step: they change no verdict, and are named where they fail."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_child import InvalidStep, run_child
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, resolve
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.types import StepGenerator, StepRun

    Record = dict[str, Any]

MOST = 20  # failures that are named; a step may be tried thousands of times


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
    params = complete(step.get("options"), resolve(step.get("args") or {}, scope))
    step_run.state.secrets.add_arguments(step.get("options"), params)

    def change(made: Record) -> None:
        who = hook["name"] if made["who"] == step["name"] else made["who"]
        step_run.state.change(step["name"], step_run.tries, {**made, "who": who})

    attempt = yield from run_child(step_run.state, step, ctx, params, change)
    verdict, reason = judge(attempt, ctx, scope, {"none": True}, step_run.state.secrets)
    step_run.count_secrets(attempt)
    step_run.hooked += attempt.measurements
    return verdict, reason
