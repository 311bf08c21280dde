# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of one step for tests of a single scriptlet, whose class is run in this process without a host."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from typing import IO, Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import complete_arguments
from ansible_collections.rack.recipes.plugins.module_utils.author_traceback import traceback_of
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    check_key,
    check_value,
    mark_if_long,
    shortened,
)
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import OutputCapture
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import (
    VERDICT_OF_STATUS,
    apply_envelope,
    read_envelope,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED, MARGINAL, problem
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet, Skipped
from rack_recipes.programs.recipe_result import Verdict

Judged = tuple[str, str]
UNCHECKED = 'checked nothing: its step ends in error, unless the recipe has success criteria or says "success: none"'
NOT_OURS = (
    KeyboardInterrupt,
    pytest.fail.Exception,
    pytest.skip.Exception,
)  # they end the test, and say nothing about the scriptlet


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scriptlet ended: the `verdict` and `reason` that a run would give, and what it printed on stdout."""

    verdict: Verdict
    reason: str = ""
    stdout: str = ""


def run_here(scriptlet: type[Scriptlet], ctx: ContextView, params: dict[str, object]) -> Outcome:
    """Run the class; its exceptions and its envelope become a verdict."""
    printed = Printed(sys.stdout)
    try:
        given = complete_arguments(getattr(scriptlet, "options", None), params)
        with redirect_stdout(printed), _limited(ctx, scriptlet):
            ended = _ended(scriptlet, ctx, given)
        verdict, reason = _with_envelope(printed.getvalue(), ctx, *ended)
    except ValueError as error:
        verdict, reason = "error", str(error)
    reason = shortened(reason)
    return Outcome(Verdict(verdict, reason), reason, printed.getvalue())


@contextmanager
def _limited(ctx: ContextView, scriptlet: type[Scriptlet]) -> Iterator[None]:
    """Let the scriptlet read only the keys that it declares."""
    ctx.limit_to(getattr(scriptlet, "reads", None))
    try:
        yield
    finally:
        ctx.limit_to(None)


def judged(outcome: Outcome, measured: Sequence[dict[str, object]]) -> Outcome:
    """The outcome with the verdict of the worst criterion in `measured`, if the scriptlet itself passed."""
    for verdict in (FAILED, MARGINAL):
        problems = [problem(one) for one in measured if one.get("verdict") == verdict]
        if problems and outcome.verdict == "passed":
            reason = shortened("; ".join(problems))
            return replace(outcome, verdict=Verdict(verdict, reason), reason=reason)
    return outcome


def _ended(scriptlet: type[Scriptlet], ctx: ContextView, params: dict[str, object]) -> Judged:
    """Verdict and reason of the class itself, without its envelope."""
    try:
        code = _run(scriptlet, ctx, params)
    except Failed as failed:
        return "failed", str(failed)
    except Skipped as skipped:
        return "skipped", str(skipped)
    except SystemExit as leaving:
        return _after_exit(leaving.code)
    except NOT_OURS:
        raise
    except BaseException as error:
        sys.stderr.write(traceback_of(error))
        text, name = str(error), type(error).__name__
        return "error", text if text and name == "ValueError" else f"{name}: {text}" if text else name
    return ("error", f"run returned {code}") if code else ("passed", "")


def _after_exit(code: object) -> Judged:
    """Verdict and reason after `sys.exit`: a number is an exit code, and any other value but None is a message."""
    if isinstance(code, int) or code is None:
        return ("error", f"left with exit code {code}") if code else ("passed", "")
    return "error", str(code)


def _run(scriptlet: type[Scriptlet], ctx: ContextView, params: dict[str, object]) -> int:
    made = scriptlet()
    validate = getattr(made, "validate", None)  # a registered class need not have one
    if validate is not None:
        validate(ctx, params)
    code: object = made.run(ctx, params)
    if code is not None and (not isinstance(code, int) or isinstance(code, bool)):
        raise ValueError(f"run returned {mark_if_long(repr(code))}: expected nothing, or an exit code")
    return code or 0


def _with_envelope(stdout: str, ctx: ContextView, verdict: str, reason: str) -> Judged:
    """Verdict and reason of the envelope, if there is one; otherwise those of the class."""
    capture = OutputCapture()
    capture.add(stdout.encode("utf-8", "backslashreplace"))
    envelope = read_envelope(capture, needed=False, secret=ctx.secret, analyses=ctx.analysis is not None)
    if envelope is None or (envelope["status"] == "ok" and verdict != "passed"):
        return verdict, reason
    apply_envelope(envelope, ctx)
    return VERDICT_OF_STATUS[envelope["status"]], str(envelope.get("reason") or "")


class Printed(io.StringIO):
    """A stream that prints everything and keeps a copy."""

    def __init__(self, target: IO[str]) -> None:
        super().__init__()
        self._target = target

    def write(self, text: str) -> int:
        """Print a text."""
        self._target.write(text)
        return super().write(text)


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

    def __setitem__(self, key: str, value: object) -> None:
        self.give(key, value)

    def give(self, key: str, value: object, host: str = "") -> None:
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

    def run(self, scriptlet: type[Scriptlet], params: Mapping[str, object] | None = None) -> Outcome:
        """Run a scriptlet's class in this process. Its arguments are checked and completed as in a run.

        Whatever it raises becomes a verdict with a reason. The traceback of a mistake goes to stderr, where pytest
        shows it. A scriptlet that checks nothing passes with a warning: only its recipe knows whether that is enough. A
        debugger and a measurement of coverage see the scriptlet as any other code.
        """
        self.scope = getattr(scriptlet, "scope", "host")
        self.analyse_with(self._declared_analysis(scriptlet))
        before = len(self.measurements)
        outcome = run_here(scriptlet, self, dict(params or {}))
        measured = self.measurements[before:]
        if outcome.verdict == "passed" and not any("verdict" in one for one in measured):
            warnings.warn(f"{scriptlet.__name__} {UNCHECKED}", stacklevel=2)
        return judged(outcome, measured)

    def _declared_analysis(self, scriptlet: type[Scriptlet]) -> dict[str, Any] | None:
        results, keys = getattr(scriptlet, "reads_results", False), getattr(scriptlet, "reads_history", ())
        if not (results or keys):
            return None
        history = {key: self.run_history.get(key, []) for key in keys}
        return {"results": self.run_results if results else None, "history": history}
