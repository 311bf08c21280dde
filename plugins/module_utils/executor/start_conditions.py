# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What decides, on this host, whether a step may start when its turn has come."""

from __future__ import annotations

import time

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Step = dict[str, Any]
    Settled = tuple[str, str]


def lets_start(step: Mapping[str, Any], verdict: str, *, is_check: bool = False) -> bool:
    """Whether the steps that depend on a step with this verdict may start. In check mode nothing blocks."""
    return verdict in PASSING or bool(step.get("continue_on_fail")) or is_check


class StartConditions:
    """The verdicts so far, the time that is left, and whether anything may start at all."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._blocking: dict[str, str] = {n: v for n, v in request["settled"].items() if v not in PASSING}
        self._host: str = request["host"]
        self._halted: str = request.get("halted") or ""
        self._fails_fast = bool(request.get("fail_fast"))
        self._box: float = request.get("time_box") or 0
        self._priority: int = request.get("priority") or 0
        left = request.get("time_left")
        self._until = None if left is None else request.get("arrived", time.monotonic()) + left
        self._is_check = bool(request.get("check"))

    def blocked(self, step: Step) -> Settled | None:
        """The verdict and the reason of a step that can never start."""
        if step.get("skip"):
            return "skipped", step["skip"]
        if self._blocking and not step.get("always"):
            for name in step["depends_on"]:
                if name in self._blocking:
                    return "blocked", f"{name} did not pass ({self._blocking[name]})"
        return None

    def closed(self, step: Step) -> Settled | None:
        """The verdict and the reason of a step that may not start any more."""
        if step.get("always"):
            return None
        if self._halted:
            return "blocked", self._halted
        if self._until is not None and time.monotonic() >= self._until and self._is_of_less(step):
            return "skipped", f"the time box of {self._box:g} s is over"
        return None

    def _is_of_less(self, step: Step) -> bool:
        """Whether a step gives way to more important ones. If all have the same priority, all do."""
        return not self._priority or step.get("priority", 0) < self._priority

    def end(self, step: Step, verdict: str, *, passes_dependents: bool = False) -> bool:
        """A step has its verdict; whether it blocks what depends on it."""
        if passes_dependents or lets_start(step, verdict, is_check=self._is_check):
            return False
        if self._fails_fast and verdict in ("failed", "error") and not self._halted:
            self._halted = f"fail_fast: {step['name']} did not pass on {self._host or 'the controller'}"
        if "parent" not in step:
            self._blocking[step["name"]] = verdict
        return True
