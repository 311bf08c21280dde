# SPDX-License-Identifier: GPL-3.0-or-later

"""A step with a loop or a matrix: its instances run like steps of their own, and it ends with the last of them."""

from __future__ import annotations

import json
import time

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import InvalidStep
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import (
    arguments_of,
    digest_of_inputs,
    reuse,
    unmet_condition,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import fingerprint
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, loop_instances
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, rank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Outcome, Record, Step
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import StageState
    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import ReusedResult

WORDS = ("${item", "${index}", "${matrix.")  # of an instance
EMPTY = "the loop is empty"
ALL_SKIPPED = "all of its instances were skipped"
NAMED = 10


class LoopGroup:
    """A looped step, from its start to the end of its last instance. It has the fields that are recorded of a step."""

    def __init__(self, step: Step, state: StageState) -> None:
        self.step = step
        self.time = now()
        self.started = time.monotonic()
        self.passes_dependents = False
        self.attempts: list[Record] = []
        self.measurements: list[Record] = []
        self.checks = 0
        self.more: Record = {}
        self.instances: list[Step] = []
        self._state = state
        self._scope = Scope(state.context.view(step), state.params, {"step": {"name": step["name"]}})
        self._ends: list[tuple[str, str, str, bool]] = []

    def unfold(self) -> Outcome | None:
        """Find the instances; the outcome where there are none."""
        common = {name: value for name, value in self.step.items() if name not in ("loop", "matrix")}
        try:
            when = json.dumps(self.step.get("when"))
            if not any(word in when for word in WORDS):
                unwanted = unmet_condition(self.step, self._scope)
                self.passes_dependents = bool(unwanted)
                if unwanted:
                    return "skipped", unwanted
                common.pop("when", None)
            found = loop_instances(self.step["name"], self.step.get("loop"), self.step.get("matrix"), self._scope)
        except (InvalidStep, ValueError) as error:
            self.passes_dependents = self._state.is_check
            check = f"check mode: its loop needs what only a run gives: {error}"
            return ("skipped", check) if self._state.is_check else ("error", str(error))
        self.passes_dependents = not found
        self.instances = [
            {**common, "name": name, "parent": self.step["name"], "words": words} for name, words in found
        ]
        for index, step in enumerate(self.instances):
            if self._state.secrets.shows(step["name"]):  # names are everywhere
                step["name"] = f"{self.step['name']}[{index}]"
        self.more["instances"] = len(found)
        return None if found else ("skipped", EMPTY)

    def reused(self) -> list[ReusedResult]:
        """The results of an earlier run with the same instances and the same inputs; the step's own is the last."""
        inputs = self._inputs()
        if inputs:
            self.more["inputs"] = inputs
        if not inputs or self.step["name"] not in self._state.offers:
            return []
        return reuse(self._state, self.step, inputs)

    def _inputs(self) -> str:
        """The digest over the inputs of all instances, as they are now. Empty where one needs what another one sets."""
        if "digest" not in self.step:
            return ""
        found = []
        for step in self.instances:
            scope = Scope(self._scope.ctx, self._state.params, {**step["words"], "step": {"name": step["name"]}})
            try:
                found.append([step["name"], digest_of_inputs(self._state, step, arguments_of(step, scope), scope)])
            except InvalidStep:
                return ""
        return fingerprint("", found, {}, self._state.host, {})

    def end(self, step: Step, verdict: str, reason: str, step_run: Any) -> Outcome | None:
        """An instance has its verdict; after the last one the outcome of the step."""
        self._ends.append((step["name"], verdict, reason, step_run is not None and step_run.passes_dependents))
        if step_run is not None:
            self.checks += step_run.checks
            self.more.update({"flake": True} if "flake" in step_run.more else {})
        return self._outcome() if len(self._ends) == len(self.instances) else None

    def _outcome(self) -> Outcome:
        """The worst verdict of the instances.

        One that does not block what depends on it does not count as bad, and one that was skipped counts only where all
        were.
        """
        bad = [
            (name, verdict) for name, verdict, _reason, passes in self._ends if verdict not in PASSING and not passes
        ]
        judged = [end[1] for end in self._ends if end[1] != "skipped"]
        worst = min([verdict for _name, verdict in bad] or judged or ["skipped"], key=rank)
        if bad and all(end[1] == "skipped" for end in self._ends):
            return worst, f"{ALL_SKIPPED}: {next(end[2] for end in self._ends if not end[3])}"
        if bad:
            return worst, f"{len(bad)} of {len(self._ends)} did not pass: {_listed(bad)}"
        self.passes_dependents = True
        if worst == "skipped":
            return worst, self._ends[0][2]
        return worst, "" if worst == "passed" else _listed([end[:2] for end in self._ends if end[1] == worst])


def _listed(ends: list[tuple[str, str]]) -> str:
    return first_few([f"{name} ({verdict})" for name, verdict in ends], NAMED)
