# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of a stage on its host: what its steps see, and what they change."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import Keys
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_secrets import StageSecrets
    from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import ContextDigest

    Record = dict[str, Any]
    Step = dict[str, Any]


class StageContext:
    """The keys of the host and of the run, each with its version, as far as this host knows them."""

    def __init__(self, request: dict[str, Any], secrets: StageSecrets) -> None:
        context = request["context"]
        self._host: str = request["host"]
        self._own: Keys = context["own"]
        self._run: Keys = context["run"]
        self._others: dict[str, Keys] = context["hosts"]
        self._analysis: dict[str, Any] = request.get("analysis") or {}
        self._live: dict[str, Any] = request.get("live") or {}
        self._digests: dict[int, ContextDigest] = {}
        self._secrets = secrets
        self._known = len(secrets)  # when the digests were made

    def view(self, step: Step) -> ContextView:
        """The context as `step` sees it. No change can be made before `send_to` says where changes go."""
        own = self._own if step["scope"] == "host" else self._run
        view = ContextView(step["name"], self._host, step["scope"], own, self._run, self._others, _refused)
        view.analyse_with(self._analysis_of(step))
        view.hide_by(self._secrets)
        if step.get("live"):
            view.reach_live(self._live)
        return view

    def _analysis_of(self, step: Step) -> dict[str, Any] | None:
        """What the step declares to read of the run's results and of earlier runs; None where it declares nothing."""
        declared = step.get("reads_history") or ()
        if not (step.get("reads_results") or declared):
            return None
        values = self._analysis.get("history") or {}
        results = (self._analysis.get("results") or []) if step.get("reads_results") else None
        return {"results": results, "history": {key: values.get(key) or [] for key in declared}}

    def version(self, change: Record) -> int:
        """The version of the key that is about to be changed; 0 where it is not there."""
        version: int = self._place(change).get(change["key"], (0,))[0]
        return version

    def _place(self, change: Record) -> Keys:
        return self._run if change["scope"] == "run" else self._own

    def apply(self, change: Record) -> Any:
        """Set a key to what a step or its envelope has set it to. Returns the value that it had before.

        A change by the live bus has the version that the server has given it (`live`).
        """
        place, key = self._place(change), change["key"]
        version, before = place.get(key, (0, None))
        place[key] = [change.get("live", version + 1), change["after"]]
        if id(place) in self._digests:
            self._digests[id(place)].set(key, change["after"])
        return before

    def read_by(self, step: Step) -> dict[str, Any]:
        """What the step can read: the values of the keys that it declares, else digests of all keys."""
        keys = step.get("reads")
        own = self._own if step["scope"] == "host" else self._run
        analysis = self._analysis_of(step)
        more = {"analysis": analysis} if analysis else {}
        if keys is None:
            others = map(self._digest_of, sorted(self._others))
            return {**more, "": [self._digest(own), self._digest(self._run), *others]}
        found = {key: (own if key in own else self._run)[key][1] for key in keys if key in own or key in self._run}
        found.update(more)
        for host in self._others:
            there = self._others[host]
            found[f"@{host}"] = {key: there[key][1] for key in keys if key in there}
        return found

    def _digest_of(self, host: str) -> list[str]:
        return [host, self._digest(self._others[host])]

    def _digest(self, place: Keys) -> str:
        from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import ContextDigest

        if self._known != len(self._secrets):
            self._known = len(self._secrets)
            self._digests.clear()
        if id(place) not in self._digests:
            values = {key: value for key, (_version, value) in place.items()}
            self._digests[id(place)] = ContextDigest(values, self._secrets.key_for)
        return str(self._digests[id(place)])


def _refused(_event: Record) -> None:
    raise ValueError("the context cannot be changed before the step runs")
