# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of one step, without a run and without a host, for tests of a single scriptlet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_key, check_value
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from rack_recipes.programs.pytest_plugin.run_in_process import Outcome, judged, run_here


class RackContext(ContextView):
    """The `ctx` of a scriptlet in a test. The test can fill it before, and look into it afterwards.

    `ctx[key]` reads or sets a value of the context; `ctx.give` sets one for another host. `measured` has the value of
    each measurement and check, by name. `checked` has the verdict of each check, by name. `measurements` has all of
    both as a run records them. `changes` has the values that scriptlets have set, by key. `attached` has the digest and
    size of each attached file, by name. `secrets` has the texts that scriptlets want hidden. `findings` has what a
    scriptlet that analyses its run has found. What such a one reads is `run_results`, and `run_history` by key.
    """

    def __init__(self, step: str = "step", host: str = "host") -> None:
        super().__init__(step, host, "host", {}, {}, {}, self._take)
        self.changes: dict[str, Any] = {}
        self.measurements: list[dict[str, Any]] = []
        self.attached: dict[str, dict[str, Any]] = {}
        self.secrets: list[str] = []
        self.findings: list[dict[str, Any]] = []
        self.run_results: list[dict[str, Any]] = []
        self.run_history: dict[str, list[dict[str, Any]]] = {}

    def _take(self, event: dict[str, Any]) -> None:
        kind = event.pop("kind")
        if kind == "delta":
            self.changes[event["key"]] = event["after"]
        elif kind == "artifact":
            self.attached[event["name"]] = event
        elif kind == "secret":
            self.secrets += event["texts"]
        elif kind == "finding":
            self.findings.append(event)
        else:
            self.measurements.append(event)

    def __getitem__(self, key: str) -> Any:
        __tracebackhide__ = True
        if key not in self:
            raise KeyError(f"{key!r} is not set; there is {', '.join(self.keys()) or 'nothing'}")
        return self.get(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.give(key, value)

    def give(self, key: str, value: Any, host: str = "") -> None:
        """Set a key as an earlier step would have done, on this host or on `host`. Raises ValueError as `set` does."""
        own = self._run if self.scope == "run" else self._own
        place = self._others.setdefault(host, {}) if host and host != self.host else own
        place[check_key(key)] = [1, check_value(value, key)]

    @property
    def measured(self) -> dict[str, Any]:
        """The last value of each measurement and check, by name."""
        return {one["name"]: one["value"] for one in self.measurements}

    @property
    def checked(self) -> dict[str, str]:
        """The last verdict of each check, by name."""
        return {one["name"]: one["verdict"] for one in self.measurements if "verdict" in one}

    def run(self, scriptlet: type[Scriptlet], params: Mapping[str, Any] | None = None) -> Outcome:
        """Run a scriptlet's class in this process. Its arguments are checked and completed as in a run.

        Whatever it raises becomes a verdict with a reason. The traceback of a mistake goes to stderr, where pytest
        shows it. A debugger and a measurement of coverage see the scriptlet as any other code.
        """
        self.scope = getattr(scriptlet, "scope", "host")
        self.analyse_with(self._declared_analysis(scriptlet))
        before = len(self.measurements)
        outcome = run_here(scriptlet, self, dict(params or {}))
        return judged(outcome, self.measurements[before:])

    def _declared_analysis(self, scriptlet: type[Scriptlet]) -> dict[str, Any] | None:
        results, keys = getattr(scriptlet, "reads_results", False), getattr(scriptlet, "reads_history", ())
        if not (results or keys):
            return None
        history = {key: self.run_history.get(key, []) for key in keys}
        return {"results": self.run_results if results else None, "history": history}
