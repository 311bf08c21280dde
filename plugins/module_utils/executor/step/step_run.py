# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one step, from its start to its verdict, unless an earlier result with the same inputs stands for it."""

from __future__ import annotations

import json
import time
from functools import partial

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import arguments_for_log, complete_arguments
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import (
    InvalidStep,
    judge,
    run_child,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import fingerprint
from ansible_collections.rack.recipes.plugins.module_utils.language.references import (
    Scope,
    keys_in,
    keys_of_others,
    resolve,
)
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Outcome, Record, Step
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import StageState
    from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import StepGenerator


def digest_of_inputs(state: StageState, step: Step, params: Record, scope: Scope) -> str:
    """The fingerprint of the scriptlet, its arguments and files, what it reads, and what judges it.

    Empty for a scriptlet without a digest, and for one on the live bus. Secrets among the arguments are hidden from
    now on.
    """
    state.secrets.add_arguments(step.get("options"), params)
    if "digest" not in step or step.get("live"):  # nobody knows what a step reads live
        return ""
    given = [step.get("module"), step.get("function"), params, *_criteria(step, scope)]
    given += [step[name] for name in ("sandbox", "patterns") if name in step]
    read, files = state.context.read_by(step), _files(state, params)
    return fingerprint(step["digest"], given, read, state.host, files, state.secrets.key_for)


def _criteria(step: Step, scope: Scope) -> list[Any]:
    """What judges the step, and the values that it refers to."""
    until = step["retry"].get("until") if "retry" in step else None
    criteria = [step.get("success"), step.get("repeat"), until]
    if not (until or step.get("repeat") or (step.get("success") or {}).get("values")):
        return criteria
    values = {key: scope.ctx.get(key) for key in keys_in(criteria) if key in scope.ctx}
    return [*criteria, scope.words["params"], values, {key: scope.ctx.values(key) for key in keys_of_others(criteria)}]


def _files(state: StageState, params: Record) -> dict[str, str]:
    """The project's file, or those of a folder, that the step was given; they travel with the stage."""
    src = params.get("src")
    if not state.digests or not isinstance(src, str):
        return {}
    import posixpath

    name = posixpath.normpath(src)
    if src.endswith("/"):
        below = "" if name == "." else f"{name}/"
        return {path: digest for path, digest in state.digests.items() if path.startswith(below)}
    return {name: state.digests[name]} if name in state.digests else {}


KEPT = ("flake", "rounds", "instances", "inputs")  # fields of a step's record


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
        self.more: Record = {name: record[name] for name in KEPT if name in record}
        self.more["from"] = offer["run"]
        if offer["kind"] == "resume":  # it shows the attempts and times of the earlier run
            self.time, self.attempts = record["started"], record["attempts"]
            self.more.update({name: record[name] for name in ("seconds", "hooks") if name in record})


def reuse(state: StageState, step: Step, inputs: str) -> list[ReusedResult]:
    """Take over the first offer for `step` that had these inputs: its changes of the context are made again.

    The results of the step's instances come first, its own last; none where no offer fits.
    """
    offer = _fitting(state, step, inputs)
    if offer is None:
        return []
    for record in offer["records"]:
        if record["kind"] == "delta":
            made = {name: record[name] for name in ("scope", "key", "after")}
            change = {**made, "based_on": state.context.version(made), "who": record["who"], "time": now()}
            state.change(record["step"], record["attempt"], change)
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
        attempts = (attempt for record in offer["records"] for attempt in record.get("attempts") or ())
        has_findings = any("findings" in attempt for attempt in attempts)
        is_usable = offer["kind"] != "cache" or (offer["verdict"] in PASSING and not has_findings)
        is_usable = is_usable and not any("secrets" in record for record in offer["records"])
        if offer["inputs"] == inputs and is_usable and MASKED not in json.dumps(values):
            return offer
    return None


FIRST, LAST, BETWEEN = 5, 15, 100  # attempts whose records are kept; between the first and the last only bad ones


class StepRun:
    """A step, or an instance of one, that is being tried.

    `waits_for` is a child, or a moment of the monotonic clock. `more` has the fields of its record that most steps do
    not need. With `passes_dependents` it does not block what depends on it, although it did not pass.
    """

    def __init__(self, step: Step, state: StageState) -> None:
        self.step = step
        self.state = state
        self.time = now()
        self.started = time.monotonic()
        self.waits_for: Attempt | float = self.started
        self.passes_dependents = False
        self.attempts: list[Record] = []
        self.known = 0  # secrets, when the first of them was recorded
        self.measurements: list[Record] = []
        self.hooked: list[Record] = []  # what the hooks of the last try have measured
        self.checks = 0
        self.tries = 0
        self.more: Record = {}
        self.about: Record = {"name": step["name"], "attempt": 1, "verdict": ""}
        self.ctx = state.context.view(step)
        self.scope = Scope(self.ctx, state.params, {**step.get("words", {}), "step": self.about})
        self._generator = self._generate()

    def advance(self) -> Outcome | None:
        """Go on until there is something to wait for, and return None. At the end return verdict and reason."""
        try:
            self.waits_for = next(self._generator)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        return None

    def _generate(self) -> StepGenerator:
        try:
            unwanted = unmet_condition(self.step, self.scope, is_check=self.state.is_check)
            if unwanted:
                self.passes_dependents = True
                return "skipped", unwanted
            if self.state.is_check:
                from ansible_collections.rack.recipes.plugins.module_utils.executor.step import retries_and_hooks

                return (yield from retries_and_hooks.check_arguments(self))
            params = arguments_of(self.step, self.scope)
            return self._reused(params) or (yield from self._rounds(params))
        except InvalidStep as invalid:
            self._hide(self.step["args"])
            return "error", str(invalid)

    def _hide(self, args: Record) -> None:
        """Hide the secrets among arguments, before anything shows them."""
        self.state.secrets.add_arguments(self.step.get("options"), args)

    def _reused(self, params: Record) -> Outcome | None:
        """The outcome of an earlier run with the same inputs."""
        inputs = digest_of_inputs(self.state, self.step, params, self.scope)
        if inputs:
            self.more["inputs"] = inputs
        if self.step["name"] not in self.state.offers or self.step.get("live"):  # others do not wait a second time
            return None
        for reused in reuse(self.state, self.step, inputs)[-1:]:
            self.measurements, self.checks = reused.measurements, reused.checks
            self.time, self.attempts = reused.time, reused.attempts
            self.passes_dependents = reused.passes_dependents
            self.more.update(reused.more)
            return reused.verdict, reused.reason
        return None

    def _rounds(self, params: Record) -> StepGenerator:
        if "repeat" not in self.step:
            return self.round(params, {})
        from ansible_collections.rack.recipes.plugins.module_utils.executor.step.retries_and_hooks import repeat

        return repeat(self, params)

    def round(self, params: Record | None, place: Record) -> StepGenerator:
        """Try until a try counts, or there were enough. `params` are the arguments of the first try, where known."""
        if "retry" not in self.step:
            return self.attempt(params, place)
        from ansible_collections.rack.recipes.plugins.module_utils.executor.step.retries_and_hooks import retry

        return retry(self, params, place)

    def attempt(self, params: Record | None, place: Record) -> StepGenerator:
        """Try once; its record has `place`, which try it was. Raises InvalidStep."""
        self.tries += 1
        self.about["attempt"] = self.tries
        given = params
        if given is None:
            given = arguments_of(self.step, self.scope)
            self._hide(given)
        moment = now() if self.attempts else self.time
        if self.state.hooks:
            self.hooked = []
            yield from self._hooks("pre_step")
        records = self.state.records
        if records.logs("start"):
            records.log(self.step["name"], self.tries, "start", arguments_for_log(self.step.get("options"), given))
        change = partial(self.state.change, self.step["name"], self.tries)
        attempt = yield from run_child(self.state, self.step, self.ctx, given, change)
        verdict, reason = self._judged(attempt)
        more = {**place, "waiting": True} if attempt.is_waiting else place
        self.known = self.known if self.attempts else len(self.state.secrets)
        record = records.without_traced_parts(attempt.record(verdict, reason, moment, self.state.secrets.mask))
        self._keep({**record, **more})
        self._log_attempt(attempt, record)
        self.about["verdict"] = verdict
        if self.state.hooks:
            yield from self._hooks("post_step")
            self.measurements = [*self.measurements, *self.hooked]
        return verdict, reason

    def _judged(self, attempt: Attempt) -> Outcome:
        until = self.step["retry"].get("until") if "retry" in self.step else None
        verdict, reason = judge(attempt, self.ctx, self.scope, self.step["success"], self.state.secrets, until)
        self.count_secrets(attempt)
        self.measurements = attempt.measurements
        self.checks = sum("verdict" in each for each in self.measurements) + (attempt.patterns is not None)
        return verdict, reason if verdict in HARMLESS else reason + self._exceeded(attempt, reason) + attempt.starved()

    def count_secrets(self, attempt: Attempt) -> None:
        """Count the secrets that a step or its hooks registered. Such a step is never reused: no record holds them."""
        if attempt.secrets:
            self.more["secrets"] = self.more.get("secrets", 0) + attempt.secrets

    def _exceeded(self, attempt: Attempt, reason: str) -> str:
        if attempt.is_waiting or not self.step.get("limits"):
            return ""
        from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import (
            describe_exceeded_limit,
        )

        limit = describe_exceeded_limit(self.step["limits"], attempt, reason)
        return f" ({limit})" if limit else ""

    def _keep(self, record: Record) -> None:
        """Keep the record of an attempt. Of very many attempts the first, the last and some bad ones are kept."""
        self.attempts.append(record)
        if len(self.attempts) > FIRST + LAST:
            leaving = self.attempts[-LAST - 1]
            is_bad = leaving["verdict"] not in PASSING and not leaving.get("waiting")
            if not is_bad or len(self.attempts) > FIRST + LAST + BETWEEN:
                del self.attempts[-LAST - 1]

    def _hooks(self, when: str) -> StepGenerator:
        from ansible_collections.rack.recipes.plugins.module_utils.executor.step.retries_and_hooks import run_hooks

        return run_hooks(self, when)

    def _log_attempt(self, attempt: Attempt, record: Record) -> None:
        """Log what an attempt has started and printed, and how it ended; at its end, when all secrets are known."""
        records = self.state.records
        log = partial(records.log, self.step["name"], self.tries)
        if records.logs("process"):
            for text in attempt.processes_in_words():
                log("process", text)
        for stream in ("stdout", "stderr"):
            if record[stream] and records.logs(stream):
                log(stream, record[stream])
        if records.logs("process"):
            log("process", attempt.end_in_words(self.state.launcher.command(self.step)))
        if records.logs("end") or records.logs(f"end {record['verdict']}"):
            log("end", ": ".join(filter(None, (record["verdict"], record["reason"]))))


def arguments_of(step: Step, scope: Scope) -> Record:
    """The arguments with references resolved and defaults filled in. Raises InvalidStep."""
    try:
        return complete_arguments(step.get("options"), resolve(step["args"], scope))
    except ValueError as error:
        raise InvalidStep(str(error)) from None


def unmet_condition(step: Step, scope: Scope, *, is_check: bool = False) -> str:
    """Which of the step's own conditions does not hold; empty where all do.

    Raises InvalidStep if that is unknown, and for a step that is invalid, unless one of them does not hold. In check
    mode nothing has written what conditions read: one that is unknown is no error, nor is what its step lacks then.
    """
    try:
        unmet = _unmet(step.get("when", True), scope)
    except InvalidStep as unknown:
        if not is_check:
            raise
        unmet = f"check mode: {unknown}" if "invalid" in step else ""
    if "invalid" in step and not unmet:
        raise InvalidStep(step["invalid"])
    return unmet


def _unmet(when: Any, scope: Scope) -> str:
    if isinstance(when, bool):
        return "" if when else "when: false"
    if isinstance(when, str):
        return f"when: {when}"
    from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import holds

    try:
        wrong = holds(when, scope)
    except ValueError as error:
        raise InvalidStep(f"when: {error}") from None
    return f"when: {wrong}" if wrong else ""
