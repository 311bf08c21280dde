# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of earlier runs that stand for a step whose inputs are the same."""

from __future__ import annotations

import json
import time

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import MASKED
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.shared_by_steps import StageState

    Record = dict[str, Any]
    Step = dict[str, Any]

KEPT = ("flake", "rounds", "instances")
WHOLE = ("seconds", "hooks")


class ReusedResult:
    """What an earlier record says now: verdict, reason, and the fields of the new record."""

    def __init__(self, offer: Record, record: Record) -> None:
        is_cached = offer["kind"] == "cache" and record["verdict"] in PASSING
        self.verdict: str = "cached" if is_cached else record["verdict"]
        self.reason = f"{'cached' if is_cached else 'reused'} from {offer['run']}"
        self.name: str = record["step"]
        self.time = now()
        self.started = time.monotonic()
        self.attempts: list[Record] = []
        self.measurements: list[Record] = record["measurements"]
        self.checks: int = record.get("checks", 0)
        self.passes_dependents = not record.get("blocks", False)
        self.more: Record = {name: record[name] for name in (*KEPT, "inputs") if name in record}
        self.more["from"] = offer["run"]
        if offer["kind"] == "resume":
            self._keep_times(record)

    def _keep_times(self, record: Record) -> None:
        """A resumed run shows the attempts and times of the earlier run."""
        self.time, self.attempts = record["started"], record["attempts"]
        self.more.update({name: record[name] for name in WHOLE if name in record})


def reuse(state: StageState, step: Step, inputs: str) -> list[ReusedResult]:
    """Take over the first offer for `step` that had these inputs: its changes of the context are made again.

    The results of the step's instances come first, its own last; none where no offer fits.
    """
    offer = _fitting(state, step, inputs)
    if offer is None:
        return []
    for record in offer["records"]:
        if record["kind"] == "delta":
            _change_again(state, record)
    records = [record for record in offer["records"] if record["kind"] == "step"]
    own = [record for record in records if record["step"] == step["name"]]
    return [ReusedResult(offer, record) for record in (*(each for each in records if each not in own), *own)]


def _fitting(state: StageState, step: Step, inputs: str) -> Record | None:
    """The first offer with these inputs that may be reused, or None.

    A result that did not pass is never taken from a cache, nor one with findings: these are about the results of its
    own run. One that registered secrets, or whose values are masked, is never reused.
    """
    for offer in state.offers[step["name"]]:
        values = [record["after"] for record in offer["records"] if record["kind"] == "delta"]
        is_usable = offer["kind"] != "cache" or (offer["verdict"] in PASSING and not _has_findings(offer))
        is_usable = is_usable and not any("secrets" in record for record in offer["records"])
        if offer["inputs"] == inputs and is_usable and MASKED not in json.dumps(values):
            return offer
    return None


def _has_findings(offer: Record) -> bool:
    attempts = (attempt for record in offer["records"] for attempt in record.get("attempts") or ())
    return any("findings" in attempt for attempt in attempts)


def _change_again(state: StageState, record: Record) -> None:
    """Make a change again, based on the version that the key has now."""
    made = {name: record[name] for name in ("scope", "key", "after")}
    version = state.context.version(made)
    change = {**made, "based_on": version, "who": record["who"], "time": now()}
    state.change(record["step"], record["attempt"], change)
