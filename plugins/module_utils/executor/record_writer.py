# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the records of a stage without secrets: deltas, artifacts, steps, and the log where one is wanted."""

from __future__ import annotations

import json
import time

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import MOST_MEASUREMENTS
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.logged_events_by_level import logged_events
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Protocol

    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_secrets import StageSecrets
    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

    Record = dict[str, Any]
    Step = dict[str, Any]

    class TriedStep(Protocol):
        """What is recorded of a step that ran, of a loop's instances together, or of a result that is used again."""

        time: str
        started: float
        attempts: list[Record]
        measurements: list[Record]
        checks: int
        more: Record
        passes_dependents: bool


LONGEST = 2000  # characters of a value in a log
UNTRIED: Record = {"seconds": 0.0, "attempts": [], "measurements": []}
COMPARED = ("value", "limits", "distance")  # of a measurement
OUTPUT = ("stdout", "stderr")
LEFT_OUT = "measurements.left_out"  # the measurement that says how many a record does not have
TEXTS = ("reason", *OUTPUT)  # of an attempt, which may have ended before a secret was known


class RecordWriter:
    """Hands the records of a stage to `write`."""

    def __init__(self, request: dict[str, Any], secrets: StageSecrets, write: Callable[[Record], None]) -> None:
        self._head = {"stage": request["stage"], "n": 0, "host": request["host"]}
        self._secrets = secrets
        self._write = write
        self._logged = logged_events(request)

    @property
    def mask(self) -> Mask | None:
        """What takes secrets out of a text; None where none are known yet."""
        return self._secrets.mask

    def hidden(self, text: str) -> str:
        """A text without secrets."""
        return self._secrets.hidden(text)

    def delta(self, step: str, attempt: int, change: Record, before: Any) -> None:
        """A step has changed a key."""
        change = {**change, "after": self._secrets.change(change), "who": self.hidden(change["who"])}
        self._write({"kind": "delta", **self._head, "step": step, "attempt": attempt, **change})
        if self.logs("set"):
            values = f"{_short(self._secrets.shown(change['key'], before))} -> {_short(change['after'])}"
            self.log(step, attempt, "set", f"{change['key']} by {change['who']}: {values}")

    def artifact(self, step: str, attempt: int, attached: Record) -> None:
        """A step has attached a file, which is kept."""
        named = {**attached, **{name: self.hidden(attached[name]) for name in ("name", "media_type", "who")}}
        self._write({"kind": "artifact", **self._head, "step": step, "attempt": attempt, **named})
        if self.logs("attach"):
            self.log(step, attempt, "attach", f"{named['name']}: {attached['size']} bytes, {attached['sha256']}")

    def step(self, step: Step, verdict: str, reason: str, tried: TriedStep | None, *, blocks: bool) -> None:
        """A step has its verdict; without `tried` it was not tried."""
        record = {"kind": "step", **self._head, "step": step["name"], "verdict": verdict, "reason": ""}
        record.update(_of(tried) if tried else {"started": now(), **UNTRIED})
        record["measurements"] = [self._secrets.without_named(each) for each in _fitting(record["measurements"])]
        record["reason"] = self._secrets.reason(reason)
        record["attempts"] = [self._without_named(each) for each in record["attempts"]]
        if self._secrets:
            record["measurements"] = [self._without_secrets(each) for each in record["measurements"]]
            is_new = getattr(tried, "known", len(self._secrets)) < len(self._secrets)
            record["attempts"] = [self._hidden_texts(each, is_new=is_new) for each in record["attempts"]]
        record.update({name: step[name] for name in ("parent", "tags") if name in step})
        if blocks and "parent" not in step:
            record["blocks"] = True
        self._write(record)

    def _without_named(self, attempt: Record) -> Record:
        """An attempt whose findings have no figure with the name of a secret."""
        if "findings" not in attempt:
            return attempt
        return {**attempt, "findings": [self._secrets.without_named_figures(each) for each in attempt["findings"]]}

    def _without_secrets(self, measurement: Record) -> Record:
        """A measurement without secrets. Beside a hidden value or limit the distance is left out: it tells that."""
        hide = self._secrets.hidden_value
        hidden = {name: value if name == "verdict" else hide(value) for name, value in measurement.items()}
        if "distance" in hidden and any(hidden.get(name) != measurement.get(name) for name in COMPARED):
            hidden["distance"] = None
        return hidden

    def _hidden_texts(self, attempt: Record, *, is_new: bool) -> Record:
        """An attempt without secrets. If a secret `is_new`, half of it may stand where the output was cut before."""
        hide = self._hidden_ends if is_new else self.hidden
        texts = {name: (hide if name in OUTPUT else self.hidden)(attempt[name]) for name in TEXTS if name in attempt}
        found = {"findings": self._secrets.hidden_value(attempt["findings"])} if "findings" in attempt else {}
        return {**attempt, **texts, **found}

    def without_traced_parts(self, attempt: Record) -> Record:
        """An attempt whose trace of variables shows no part of a secret.

        A variable may be such a part, and the trace may have cut a secret that was registered later.
        """
        if not (self.logs("variables") and self._secrets):
            return attempt
        from ansible_collections.rack.recipes.plugins.module_utils.masking.text_edges import without_parts

        return {**attempt, "stderr": without_parts(attempt["stderr"], self._secrets.known)}

    def _hidden_ends(self, text: str) -> str:
        mask = self._secrets.mask
        if mask is None:
            return text
        from ansible_collections.rack.recipes.plugins.module_utils.masking.text_edges import masked_ends

        return masked_ends(text, mask)

    def logs(self, event: str) -> bool:
        """Whether the log of this run shows such an event: a word of LEVELS."""
        return event in self._logged

    def log(self, step: str, attempt: int, event: str, text: str) -> None:
        """Write what has happened, without secrets; only for an event that is wanted, see `logs`."""
        head = {"kind": "log", **self._head, "step": step, "attempt": attempt, "time": now()}
        self._write({**head, "event": event, "text": self.hidden(text)})


def _of(tried: TriedStep) -> Record:
    """The fields of a step that ran. Those that most steps do not need are left out where they are empty."""
    fields = {
        "started": tried.time,
        "seconds": round(time.monotonic() - tried.started, 6),
        "attempts": tried.attempts,
        "measurements": tried.measurements,
        **tried.more,
    }
    if tried.checks:
        fields["checks"] = tried.checks
    return fields


def _fitting(measurements: list[Record]) -> list[Record]:
    """The measurements that a record has room for, in their order: first what did not pass, then the other checks.

    The last one says how many were left out.
    """
    if len(measurements) <= MOST_MEASUREMENTS:
        return measurements
    numbers = sorted(range(len(measurements)), key=lambda number: _weight(measurements[number]))
    kept = sorted(numbers[: MOST_MEASUREMENTS - 1])
    left_out = {"name": LEFT_OUT, "value": len(measurements) - len(kept), "unit": ""}
    return [*(measurements[number] for number in kept), left_out]


def _weight(measurement: Record) -> int:
    verdict = measurement.get("verdict")
    return 2 if verdict is None else int(verdict in PASSING)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
