# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scriptlets that run before and after each try of a step: they change no verdict, and are named where they fail."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_child import Unfit, conduct
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, resolve
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import Life, Trial

    Record = dict[str, Any]

MOST = 20  # failures that are named; a step may be tried thousands of times


def run_hooks(trial: Trial, when: str) -> Life:
    """Run the hooks of one kind, one after the other; the outcome says nothing."""
    for hook in () if trial.bench.lost else trial.bench.hooks.get(when, ()):
        try:
            verdict, reason = yield from _run(trial, hook)
        except (Unfit, ValueError) as error:
            verdict, reason = "error", trial.bench.secrets.reason(str(error))
        named = trial.more.get("hooks", [])
        bad = {"hook": hook["name"], "when": when, "verdict": verdict, "reason": reason}
        if verdict not in PASSING and bad not in named and len(named) < MOST:
            trial.more["hooks"] = [*named, bad]
    return "passed", ""


def _run(trial: Trial, hook: Record) -> Life:
    """A hook is part of its step: it has its name, its scope and its time."""
    own = {name: trial.step.get(name) for name in ("name", "scope", "timeout")}
    step = {**hook, **own}
    ctx = trial.bench.context.view(step)
    scope = Scope(ctx, trial.bench.params, {**trial.step.get("words", {}), "step": trial.about})
    params = complete(step.get("options"), resolve(step.get("args") or {}, scope))
    trial.bench.secrets.add_arguments(step.get("options"), params)

    def change(made: Record) -> None:
        who = hook["name"] if made["who"] == step["name"] else made["who"]
        trial.bench.change(step["name"], trial.tries, {**made, "who": who})

    attempt = yield from conduct(trial.bench, step, ctx, params, change)
    verdict, reason = judge(attempt, scope, {"none": True}, trial.bench.secrets)
    trial.count_secrets(attempt)
    trial.hooked += attempt.measurements
    return verdict, reason
