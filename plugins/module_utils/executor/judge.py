# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an attempt ended: from what its child did and said to a verdict with its reason."""

from __future__ import annotations

import signal

from ansible_collections.rack.recipes.plugins.module_utils.executor.envelope import VERDICTS, missing, read_envelope
from ansible_collections.rack.recipes.plugins.module_utils.values import as_reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.executor.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.view import View

    Judged = tuple[str, str]


def judge(attempt: Attempt, ctx: View, success: dict[str, Any]) -> Judged:
    """Verdict and reason; keys and measurements of the envelope are handed to `ctx` on the way."""
    try:
        verdict, reason = _outcome(attempt, ctx, success)
    except ValueError as error:
        verdict, reason = "error", str(error)
    return verdict, "" if verdict == "passed" else as_reason(reason) or "gave no reason"


def _outcome(attempt: Attempt, ctx: View, success: dict[str, Any]) -> Judged:
    problem = _ended_badly(attempt)
    if problem:
        return "error", problem
    verdict, reason = _said(attempt, ctx)
    return _check(success, ctx) if verdict == "passed" else (verdict, reason)


def _ended_badly(attempt: Attempt) -> str:
    if attempt.stopped:
        return attempt.stopped
    return f"killed by {_signal_name(attempt.signal)}" if attempt.signal else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one


def _said(attempt: Attempt, ctx: View) -> Judged:
    """What the scriptlet itself says: its envelope, or the end of its Python class."""
    ending = attempt.ending
    envelope = read_envelope(attempt.stdout, needed=ending is None)
    if envelope is None:
        if ending is None:
            raise ValueError(missing(attempt.stdout) + _exit(attempt))
        return ending["verdict"], ending["reason"]
    if envelope["status"] == "ok":
        if ending is not None and ending["verdict"] != "passed":
            return ending["verdict"], ending["reason"]
        if attempt.exit_code:
            raise ValueError(f"the envelope says ok, but the exit code is {attempt.exit_code}")
    _take_outputs(envelope, ctx)
    return VERDICTS[envelope["status"]], str(envelope.get("reason") or "")


def _exit(attempt: Attempt) -> str:
    if not attempt.exit_code:
        return ""
    log = attempt.stderr.text(400).strip().rpartition("\n")[2]
    return f" (exit code {attempt.exit_code}{': ' + log if log else ''})"


def _take_outputs(envelope: dict[str, Any], ctx: View) -> None:
    outputs = envelope.get("outputs") or {}
    if isinstance(outputs, dict):
        for key, value in outputs.items():
            ctx.set(key, value)
    else:
        absent = [str(key) for key in outputs if not isinstance(key, str) or key not in ctx]
        if absent:
            raise ValueError(f"the envelope names outputs that were never set: {', '.join(absent)}")
    for item in envelope.get("measurements") or ():
        ctx.take_measurement(item)


def _check(success: dict[str, Any], ctx: View) -> Judged:
    """The first criterion that does not hold."""
    for name, wanted in success.items():
        if name not in CRITERIA:
            raise ValueError(f"{name!r} is no criterion")
        problem = CRITERIA[name](wanted, ctx)
        if problem:
            return "failed", problem
    return "passed", ""


def _has_keys(keys: list[str], ctx: View) -> str:
    absent = [key for key in keys if key not in ctx]
    return f"the context has no key {', '.join(absent)}" if absent else ""


CRITERIA: dict[str, Callable[[Any, View], str]] = {"ctx_has_keys": _has_keys}
