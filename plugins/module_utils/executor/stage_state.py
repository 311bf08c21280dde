# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a stage share while they are tried.

The context, and the records that are written without secrets.
"""

from __future__ import annotations

import json
import time

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import MOST_MEASUREMENTS
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView, now
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import ProcessMarks
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import logged_events
from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import ContextDigest
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Protocol

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import Keys
    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.trace_processes import ProcessObserver
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Record, Step
    from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets

    class TriedStep(Protocol):
        """What is recorded of a step that ran, of a loop's instances together, or of a result that is used again."""

        time: str
        started: float
        attempts: list[Record]
        measurements: list[Record]
        checks: int
        more: Record
        passes_dependents: bool


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
            others = ([host, self._digest(self._others[host])] for host in sorted(self._others))
            return {**more, "": [self._digest(own), self._digest(self._run), *others]}
        found = {key: (own if key in own else self._run)[key][1] for key in keys if key in own or key in self._run}
        found.update(more)
        for host in self._others:
            there = self._others[host]
            found[f"@{host}"] = {key: there[key][1] for key in keys if key in there}
        return found

    def _digest(self, place: Keys) -> str:
        if self._known != len(self._secrets):
            self._known = len(self._secrets)
            self._digests.clear()
        if id(place) not in self._digests:
            values = {key: value for key, (_version, value) in place.items()}
            self._digests[id(place)] = ContextDigest(values, self._secrets.key_for)
        return str(self._digests[id(place)])


def _refused(_event: Record) -> None:
    raise ValueError("the context cannot be changed before the step runs")


LONGEST = 2000  # characters of a value in a log
UNTRIED: Record = {"seconds": 0.0, "attempts": [], "measurements": []}
COMPARED = ("value", "limits", "distance")  # of a measurement
OUTPUT = ("stdout", "stderr")
LEFT_OUT = "measurements.left_out"  # the measurement that says how many a record does not have
TEXTS = ("reason", *OUTPUT)  # of an attempt, which may have ended before a secret was known


class RecordWriter:
    """Hands the records of a stage to `write`."""

    def __init__(self, request: dict[str, object], secrets: StageSecrets, write: Callable[[Record], None]) -> None:
        self._head = {"stage": request["stage"], "n": 0, "host": request["host"]}
        self._secrets = secrets
        self._write = write
        self._logged = logged_events(request)

    def delta(self, step: str, attempt: int, change: Record, before: object) -> None:
        """A step has changed a key."""
        change = {**change, "after": self._secrets.change(change), "who": self._secrets.hidden(change["who"])}
        self._write({"kind": "delta", **self._head, "step": step, "attempt": attempt, **change})
        if self.logs("set"):
            values = f"{_short(self._secrets.shown(change['key'], before))} -> {_short(change['after'])}"
            self.log(step, attempt, "set", f"{change['key']} by {change['who']}: {values}")

    def artifact(self, step: str, attempt: int, attached: Record) -> None:
        """A step has attached a file, which is kept."""
        named = {**attached, **{name: self._secrets.hidden(attached[name]) for name in ("name", "media_type", "who")}}
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
        hide = self._secrets.hidden
        output = self._hidden_ends if is_new else hide
        texts = {name: (output if name in OUTPUT else hide)(attempt[name]) for name in TEXTS if name in attempt}
        found = {"findings": self._secrets.hidden_value(attempt["findings"])} if "findings" in attempt else {}
        return {**attempt, **texts, **found}

    def without_traced_parts(self, attempt: Record) -> Record:
        """An attempt whose trace of variables shows no part of a secret.

        A variable may be such a part, and the trace may have cut a secret that was registered later.
        """
        if not (self.logs("variables") and self._secrets):
            return attempt
        from ansible_collections.rack.recipes.plugins.module_utils.mask import without_parts

        return {**attempt, "stderr": without_parts(attempt["stderr"], self._secrets.known)}

    def _hidden_ends(self, text: str) -> str:
        mask = self._secrets.mask
        if mask is None:
            return text
        from ansible_collections.rack.recipes.plugins.module_utils.mask import masked_ends

        return masked_ends(text, mask)

    def logs(self, event: str) -> bool:
        """Whether the log of this run shows such an event: a word of LEVELS."""
        return event in self._logged

    def log(self, step: str, attempt: int, event: str, text: str) -> None:
        """Write what has happened, without secrets; only for an event that is wanted, see `logs`."""
        head = {"kind": "log", **self._head, "step": step, "attempt": attempt, "time": now()}
        self._write({**head, "event": event, "text": self._secrets.hidden(text)})


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


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


class StageState:
    """The request, its context and records, and the launcher of children. `lost` says why the stage ends early."""

    def __init__(self, request: dict[str, Any], launcher: Launcher, write: Callable[[Record], None]) -> None:
        self.host: str = request["host"]
        self.params: dict[str, Any] = request.get("params") or {}
        self.hooks: dict[str, list[Step]] = request.get("hooks") or {}
        self.offers: dict[str, list[Record]] = request.get("offers") or {}
        self.digests: dict[str, str] = request.get("digests") or {}
        self.waivers: list[Record] = request.get("waivers") or []
        self.is_check = bool(request.get("check"))
        self.lost = ""
        self.launcher = launcher
        self.secrets = launcher.secrets
        self.context = StageContext(request, launcher.secrets)
        self.records = RecordWriter(request, launcher.secrets, write)
        self.marks = ProcessMarks()
        self._observer: ProcessObserver | None = None

    def observer(self, step: Step) -> ProcessObserver | None:
        """What lists the processes that a step starts, if that is logged and the step is a program.

        A Python class tells by itself what it starts.
        """
        if not self.records.logs("process") or not self.launcher.command(step):
            return None
        if self._observer is None:
            # only a run with a log pays for this import, and for the process
            from ansible_collections.rack.recipes.plugins.module_utils.executor.process.trace_processes import (
                ProcessObserver,
            )

            self._observer = ProcessObserver()
        return self._observer

    def close(self) -> None:
        """End what was started beside the steps."""
        if self._observer:
            self._observer.close()
            self._observer = None

    def change(self, step: str, attempt: int, change: Record) -> None:
        """Take a change of a key, or an attached file, from a running step or from its envelope.

        Raises ValueError for a key whose text shows a secret.
        """
        if "sha256" in change:
            self.records.artifact(step, attempt, change)
        else:
            self.secrets.check_key(change["key"])
            if "live" in change:  # the server has written its record
                self.context.apply(change)
                return
            self.records.delta(step, attempt, change, self.context.apply(change))
