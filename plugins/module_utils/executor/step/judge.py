# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges an attempt by how its child ended, by its envelope and by the criteria: gives verdict and reason."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.executor.step.scriptlet_result import (
    VERDICTS,
    missing,
    read_envelope,
)
from ansible_collections.rack.recipes.plugins.module_utils.program_end import exit_in_words, signal_name
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import ORDER, PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_secrets import StageSecrets
    from ansible_collections.rack.recipes.plugins.module_utils.language.references import Context, Scope
    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

    Judged = tuple[str, str]
    Measurement = dict[str, Any]
    Success = dict[str, Any]

CRITERIA = ("ctx_has_keys", "values", "none")
UNCHECKED = 'it checked nothing: give it success criteria, or say "success: none"'


def judge(
    attempt: Attempt, ctx: ContextView, scope: Scope, success: Success, secrets: StageSecrets, until: Any = None
) -> Judged:
    """Verdict and reason; what the envelope and the criteria say goes into the attempt on the way.

    `secrets` are taken out of texts before these are shortened; the envelope may add some. What passed by itself may
    have to wait for the conditions `until`, before which no criterion counts.
    """
    try:
        verdict, reason = _outcome(attempt, ctx, scope, success, secrets, until)
    except ValueError as error:
        verdict, reason = "error", str(error)
    if verdict == "passed":
        return verdict, ""
    return verdict, secrets.reason(reason) or "gave no reason"


def _outcome(
    attempt: Attempt, ctx: ContextView, scope: Scope, success: Success, secrets: StageSecrets, until: Any
) -> Judged:
    problem = _ended_badly(attempt)
    if problem:
        return "error", problem
    verdict, reason = _said(attempt, ctx, secrets)
    if verdict != "passed":
        return verdict, reason
    missing_yet = _missing_yet(attempt, scope, until) if until else ""
    return ("failed", f"not yet: {missing_yet}") if missing_yet else check(attempt, scope, success)


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


def _ended_badly(attempt: Attempt) -> str:
    if attempt.stopped:
        return attempt.stopped
    return f"killed by {signal_name(attempt.signal)}" if attempt.signal else ""


def _said(attempt: Attempt, ctx: ContextView, secrets: StageSecrets) -> Judged:
    """What the scriptlet itself says: its envelope, or the end of its Python class."""
    ending = attempt.ending
    analyses = ctx.analysis is not None
    envelope = read_envelope(attempt.stdout, needed=ending is None, secret=ctx.secret, analyses=analyses)
    if envelope is None:
        if ending is None:
            raise ValueError(missing(attempt.stdout, secrets.mask) + _exit(attempt, secrets.mask, " ({})"))
        return ending["verdict"], ending["reason"]
    if envelope["status"] == "ok":
        if ending is not None and ending["verdict"] != "passed":
            return ending["verdict"], ending["reason"]
        if attempt.exit_code:
            raise ValueError(f"the envelope says ok, but the exit code is {attempt.exit_code}")
    apply_envelope(envelope, ctx)
    reason = str(envelope.get("reason") or "")
    if not reason and envelope["status"] == "error":
        reason = _exit(attempt, secrets.mask, "ended with {}")
    return VERDICTS[envelope["status"]], reason


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


def check(attempt: Attempt, scope: Scope, success: Success) -> Judged:
    """The worst of the scriptlet's own checks and of the step's criteria."""
    own = [(each, "") for each in attempt.measurements if "verdict" in each]
    checks = own + _criteria(attempt, scope, success)
    if not checks:
        return ("passed", "") if success.get("none") else ("error", UNCHECKED)
    verdict = min((measured["verdict"] for measured, _wrong in checks), key=ORDER.index)
    if verdict == "passed":
        return verdict, ""
    return verdict, "; ".join(wrong or _problem(each) for each, wrong in checks if each["verdict"] == verdict)


def _criteria(attempt: Attempt, scope: Scope, success: Success) -> list[tuple[Measurement, str]]:
    """What each criterion measures, and what is wrong where that is known; raises ValueError after the last."""
    found: list[tuple[Measurement, str]] = []
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


def _has_keys(keys: list[str], ctx: Context) -> tuple[Measurement, str]:
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


def _problem(measured: Measurement) -> str:
    from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import problem

    return problem(measured)
