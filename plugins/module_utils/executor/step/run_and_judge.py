# SPDX-License-Identifier: GPL-3.0-or-later

"""One child of a step, or of a hook, from its start to its verdict.

By how it ended, by its envelope and by the criteria.
"""

from __future__ import annotations

import json
import os
import time

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import TAIL, Attempt, OutputCapture
from ansible_collections.rack.recipes.plugins.module_utils.program_end import exit_in_words, signal_name
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, rank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, Callable, Protocol, Union

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import Cgroup
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Outcome, Record, Step
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import StageState
    from ansible_collections.rack.recipes.plugins.module_utils.language.references import Context, Scope
    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
    from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets

    # Gives what has to be waited for: a child, or a moment of the monotonic clock. Returns the outcome.
    StepGenerator = Generator[Union[Attempt, float], None, Outcome]

    class StepRun(Protocol):
        """A step that is being tried, as its retries, its hooks and check mode see it."""

        step: Step
        state: StageState
        passes_dependents: bool
        attempts: list[Record]
        measurements: list[Record]
        hooked: list[Record]
        tries: int
        more: Record
        about: Record
        ctx: ContextView
        scope: Scope

        def round(self, params: Record | None, place: Record) -> StepGenerator:
            """Try until a try counts, or there were enough."""

        def attempt(self, params: Record | None, place: Record) -> StepGenerator:
            """Try once."""

        def count_secrets(self, attempt: Attempt) -> None:
            """Note how many secrets an attempt has registered."""


class InvalidStep(Exception):
    """The step cannot be tried: its arguments do not fit, or there is no room for a child."""


def run_child(
    state: StageState,
    step: Step,
    ctx: ContextView,
    params: Record,
    change: Callable[[Record], None],
    method: str = "run",
) -> Generator[Attempt | float, None, Attempt]:
    """Start a child, wait for its end and return the attempt. Raises InvalidStep if it cannot start."""
    attempt = Attempt(step.get("timeout"), change, state.secrets.register)
    attempt.patterns = step.get("patterns")
    ctx.send_to(attempt.receive)
    ctx.keep_on(state.launcher.shelf)
    observer = state.observer(step)
    group: Cgroup | None = None
    if step.get("limits"):
        from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import create_cgroup

        group = create_cgroup(f"rack-recipes-{os.getpid()}-{time.monotonic_ns()}")
    try:
        stdin, program = state.launcher.start({**step, "group": group} if group else step, ctx, params, method)
        attempt.start(stdin, program, state.marks.put())
    except (ValueError, OSError) as error:
        if group:
            group.end()
        raise InvalidStep(_error_text(error)) from None
    if "sandbox" in step:
        attempt.ask = state.launcher.sandbox.ask
    if "processes" in step.get("limits", ()):
        from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import (
            describe_surplus_processes,
            processes_around_step,
        )

        more = processes_around_step(step)
        attempt.inspect_by(lambda: describe_surplus_processes(step["limits"], attempt, more))
    yield attempt
    if attempt.stopped:
        from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import sweep

        left = yield from sweep(range(attempt.mark, attempt.mark + 1), attempt.pid)
        attempt.stopped += f"; could not be ended: {left}" if left else ""
    attempt.finish()
    for event in observer.processes(attempt.pid) if observer else ():
        attempt.receive(event)
    if group:
        attempt.group = group.end()
    refused = state.launcher.sandbox.refused(attempt, state.secrets.mask) if "sandbox" in step else ""
    if refused:
        raise InvalidStep(refused)
    return attempt


def _error_text(error: ValueError | OSError) -> str:
    """The error for people, as a shell would say it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


FIELDS = ("reason", "outputs", "measurements", "checks", "secrets", "artifacts")  # beside the status
OF_ANALYSIS = "findings"  # a field only for a scriptlet that declares to read the run's results, or its history
KNOWN = ("status", "exit_code", "step")  # the last two of the first proposal
CLOSE = 0.87  # how alike two names are, of 1, where one is the other misspelt
VERDICT_OF_STATUS = {"ok": "passed", **{name: name for name in ("failed", "error", "skipped")}}
SHOWN = 400
DIGITS = 1000  # Python takes minutes to read a number of a million digits


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError
    return int(digits)


_decode = json.JSONDecoder(parse_int=_integer).decode


def read_envelope(
    stdout: OutputCapture, *, needed: bool = True, secret: Callable[[Any], object] | None = None, analyses: bool = False
) -> dict[str, Any] | None:
    """The envelope, or None where the last line is no JSON object. Raises ValueError for one that breaks the rules.

    Where it is not `needed`, because a Python class has ended by itself, an object without a status is none. `secret`
    is given its `secrets` before anything else is looked at: also one that breaks the rules is shown in a log. It has
    `findings` where the step `analyses` its run; elsewhere that field is the author's own.
    """
    line = stdout.ending().rstrip().rpartition(b"\n")[2]
    try:
        found = _decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not (needed or "status" in found):
        return None
    fields = (*FIELDS, OF_ANALYSIS) if analyses else FIELDS
    misspelt = _misspelt(found, fields)
    for name in ("secrets", *(name for name, meant in misspelt.items() if meant == "secrets")):
        if secret and found.get(name):
            secret(found[name])
    if misspelt:
        raise ValueError(
            "; ".join(f"the envelope has no field {name}, did you mean {misspelt[name]}?" for name in misspelt)
        )
    if not isinstance(found.get("status"), str) or found["status"] not in VERDICT_OF_STATUS:
        known = ", ".join([*VERDICT_OF_STATUS][:-1]) + f" or {[*VERDICT_OF_STATUS][-1]}"
        raise ValueError(f"the envelope's status must be {known}, got {mark_if_long(repr(found.get('status')))}")
    if not isinstance(found.get("outputs") or [], (list, dict)):
        raise ValueError("the envelope's outputs must be a list of keys or an object of key and value")
    for name in ("measurements", "checks", "artifacts", *fields[len(FIELDS) :]):
        if not isinstance(found.get(name) or [], list):
            raise ValueError(f"the envelope's {name} must be a list")
    return found


def _misspelt(found: dict[str, Any], fields: tuple[str, ...]) -> dict[str, str]:
    """Names that are nearly those of fields that are not there; others are the author's own."""
    absent = [name for name in fields if name not in found]
    strange = [name for name in found if name not in fields and name not in KNOWN]
    if not strange:
        return {}
    from difflib import get_close_matches  # slow to load, and only such an envelope pays for it

    near = {name: get_close_matches(name, absent, 1, CLOSE) for name in strange}
    return {name: meant[0] for name, meant in near.items() if meant}


def describe_missing_envelope(stdout: OutputCapture, mask: Mask | None = None) -> str:
    """Why there is no envelope, with what was printed instead, less what `mask` takes out."""
    if not stdout.size:
        return "printed no envelope: its stdout is empty"
    if stdout.size > TAIL and b"\n" not in stdout.ending().rstrip():
        return f"printed no envelope: its last line is longer than {TAIL} bytes"
    text = stdout.end(SHOWN, mask)
    return f"printed no envelope as its last line, but {stdout.size} bytes that end with: {text}"


CRITERIA = ("ctx_has_keys", "values", "none", "limits")
UNCHECKED = 'it checked nothing: give it success criteria, or say "success: none"'


def judge(
    attempt: Attempt, ctx: ContextView, scope: Scope, success: Record, secrets: StageSecrets, until: Any = None
) -> Outcome:
    """Verdict and reason; what the envelope and the criteria say goes into the attempt on the way.

    `secrets` are taken out of texts before these are shortened; the envelope may add some. What passed by itself may
    have to wait for the conditions `until`, before which no criterion counts.
    """
    try:
        verdict, reason = _outcome(attempt, ctx, scope, success, secrets, until)
    except ValueError as error:
        verdict, reason = "error", _with_broken(str(error), attempt)
    if verdict == "passed":
        return verdict, ""
    return verdict, secrets.reason(reason) or "gave no reason"


def _outcome(
    attempt: Attempt, ctx: ContextView, scope: Scope, success: Record, secrets: StageSecrets, until: Any
) -> Outcome:
    if attempt.stopped or attempt.signal:
        return "error", _with_broken(attempt.stopped or f"killed by {signal_name(attempt.signal)}", attempt)
    verdict, reason = _said(attempt, ctx, secrets)
    if verdict != "passed":
        return verdict, _with_broken(reason, attempt) if verdict == "error" else reason
    missing_yet = _missing_yet(attempt, scope, until) if until else ""
    return ("failed", f"not yet: {missing_yet}") if missing_yet else check(attempt, scope, success)


def _with_broken(reason: str, attempt: Attempt) -> str:
    """The reason of an error and, where it does not say them, the checks that had failed before."""
    broken = [_problem(each) for each in attempt.measurements if each.get("verdict") == "failed"]
    return "; ".join((*filter(None, [reason]), *(problem for problem in broken if problem not in reason)))


def _missing_yet(attempt: Attempt, scope: Scope, until: Any) -> str:
    """Which condition an attempt waits for, for people; empty for none, and where a check of its own says enough."""
    from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import holds

    if any(each.get("verdict", "passed") not in PASSING for each in attempt.measurements):
        return ""
    try:
        found = holds(until, scope)
    except ValueError as error:
        raise ValueError(f"until: {error}") from None
    attempt.is_waiting = bool(found)
    return found


def _said(attempt: Attempt, ctx: ContextView, secrets: StageSecrets) -> Outcome:
    """What the scriptlet itself says: its envelope, the end of its Python class, or its exit code and its output."""
    ending = attempt.ending
    analyses = ctx.analysis is not None
    if attempt.patterns is not None:
        from ansible_collections.rack.recipes.plugins.module_utils.executor.step.judge_output import judge_output

        if read_envelope(attempt.stdout, needed=False, secret=ctx.secret, analyses=analyses):
            raise ValueError("it printed an envelope, which nobody reads: its step or its sidecar says envelope: none")
        return judge_output(attempt, ctx, secrets.mask)
    envelope = read_envelope(attempt.stdout, needed=ending is None, secret=ctx.secret, analyses=analyses)
    if envelope is None:
        if ending is None:
            why = describe_missing_envelope(attempt.stdout, secrets.mask) + _exit(attempt, secrets.mask, " ({})")
            raise ValueError(why + _missing_line(attempt))
        return ending["verdict"], ending["reason"]
    if envelope["status"] == "ok":
        if ending is not None and ending["verdict"] != "passed":
            return ending["verdict"], ending["reason"]
        if attempt.exit_code:
            raise ValueError(f"the envelope says ok, but the exit code is {attempt.exit_code}")
    reason = str(envelope.get("reason") or "")
    try:
        apply_envelope(envelope, ctx)
    except ValueError as error:
        # A value that could not be had is what such an envelope tells of: `null` beside it is no better reason.
        told = {"error": reason, "ok": ""}.get(envelope["status"], f"{reason}; {error}" if reason else "")
        raise ValueError(told or str(error)) from None
    if not reason and envelope["status"] == "error":
        reason = _exit(attempt, secrets.mask, "ended with {}")
    return VERDICT_OF_STATUS[envelope["status"]], reason


def _missing_line(attempt: Attempt) -> str:
    """What to add to a shell scriptlet that calls the library for authors and does not read it."""
    import re  # only what has no envelope pays for it

    is_unread = re.search(r"\brack_[a-z_]+:.* not found", attempt.stderr.text(2000, None))
    return '; add the line `. "$RACK_SH"` at its beginning' if is_unread else ""


def _exit(attempt: Attempt, mask: Mask | None, words: str) -> str:
    """The exit code, its signal and the last line of stderr, put into `words`; empty for the exit code 0."""
    if not attempt.exit_code:
        return ""
    log = attempt.stderr.text(400, mask).strip().rpartition("\n")[2]
    return words.format(f"{exit_in_words(attempt.exit_code)}{': ' + log if log else ''}")


def apply_envelope(envelope: dict[str, Any], ctx: ContextView) -> None:
    """Put into the context what an envelope gives; raises ValueError for what cannot be."""
    outputs = envelope.get("outputs") or {}
    if isinstance(outputs, dict):
        for key, value in outputs.items():
            ctx.set(key, value)
    else:
        absent = [str(key) for key in outputs if not isinstance(key, str) or key not in ctx]
        if absent:
            raise ValueError(f"the envelope names outputs that were never set: {', '.join(absent)}")
    for item in envelope.get("measurements") or ():
        ctx.add_measurement(item)
    for item in envelope.get("checks") or ():
        ctx.add_check(item)
    for item in envelope.get("artifacts") or ():
        ctx.add_artifact(item)
    for item in (envelope.get("findings") or ()) if ctx.analysis is not None else ():
        ctx.add_finding(item)


def check(attempt: Attempt, scope: Scope, success: Record) -> Outcome:
    """The worst of the scriptlet's own checks, the step's criteria, and the recipe's limits for what it measured."""
    own, remarks = len(attempt.measurements), {}
    criteria = _criteria(attempt, scope, success)
    if success.get("limits"):
        from ansible_collections.rack.recipes.plugins.module_utils.language.limits_of_measurements import hold_to_limits

        name = scope.words["step"]["name"]
        remarks = hold_to_limits(attempt.measurements, success["limits"], (name, name.partition("[")[0]))
    checks = [(each, "") for each in attempt.measurements[:own] if "verdict" in each] + criteria
    if not checks:
        judged = success.get("none") or attempt.patterns is not None  # an exit code is a check
        return ("passed", "") if judged else ("error", UNCHECKED)
    verdict = min((measured["verdict"] for measured, _wrong in checks), key=rank)
    if verdict == "passed":
        return verdict, ""
    told = {id(attempt.measurements[number]): f" ({remark})" for number, remark in remarks.items() if remark}
    bad = [(each, wrong) for each, wrong in checks if each["verdict"] == verdict]
    return verdict, "; ".join((wrong or _problem(each)) + told.get(id(each), "") for each, wrong in bad)


def _criteria(attempt: Attempt, scope: Scope, success: Record) -> list[tuple[Record, str]]:
    """What each criterion measures, and what is wrong where that is known; raises ValueError after the last."""
    found: list[tuple[Record, str]] = []
    for name in success:
        if name not in CRITERIA:
            raise ValueError(f"{name!r} is no criterion")
    if success.get("ctx_has_keys"):
        found.append(_has_keys(success["ctx_has_keys"], scope.ctx))
    problems = []
    for condition in success.get("values") or ():
        from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import evaluate

        try:
            found.append((evaluate(condition, scope), ""))
        except ValueError as error:
            problems.append(str(error))
    attempt.measurements += [measured for measured, _wrong in found]
    if problems:
        raise ValueError("; ".join(problems))
    return found


def _has_keys(keys: list[str], ctx: Context) -> tuple[Record, str]:
    """How many of the keys are there."""
    absent = [key for key in keys if key not in ctx]
    measured = {
        "name": "ctx_has_keys",
        "value": len(keys) - len(absent),
        "unit": "",
        "limits": {"min": len(keys)},
        "distance": -len(absent),
        "verdict": "failed" if absent else "passed",
    }
    return measured, f"the context has no key {', '.join(absent)}" if absent else ""


def _problem(measured: Record) -> str:
    from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import problem

    return problem(measured)
