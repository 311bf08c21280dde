# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A step in check mode: its arguments are checked, and nothing is done."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete, problems_of_names
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.judge import judge
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_child import InvalidStep, run_child
from ansible_collections.rack.recipes.plugins.module_utils.language.references import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.types import StepGenerator, StepRun

RIGHT = "check mode: its arguments are right"
UNKNOWN = "check mode: its arguments need what only a run gives: "


def check_arguments(step_run: StepRun) -> StepGenerator:
    """`skipped` where the step could run, as far as can be told before, `error` where it could not."""
    step_run.passes_dependents = True
    step, options = step_run.step, step_run.step.get("options")
    for name, problem in problems_of_names(options, step["args"]) if options is not None else ():
        raise InvalidStep(f"argument {name!r} {problem}")
    try:
        args = resolve(step["args"], step_run.scope)
    except ValueError as error:
        return "skipped", f"{UNKNOWN}{error}"
    try:
        params = complete(options, args)
    except ValueError as error:
        raise InvalidStep(str(error)) from None
    step_run.state.secrets.add_arguments(options, params)
    if step["kind"] != "python":
        return "skipped", RIGHT
    attempt = yield from run_child(step_run.state, step, step_run.ctx, params, lambda _change: None, "validate")
    verdict, reason = judge(attempt, step_run.ctx, step_run.scope, {"none": True}, step_run.state.secrets)
    return ("skipped", RIGHT) if verdict == "passed" else ("error", reason)
