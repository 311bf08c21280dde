# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an attempt ended: from what its child did and said to a verdict with its reason."""

from __future__ import annotations

import signal

from ansible_collections.rack.recipes.plugins.module_utils.executor.envelope import VERDICTS, missing, read_envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.executor.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.view import View


def judge(attempt: Attempt, ctx: View, success: dict[str, Any]) -> tuple[str, str]:
    """Verdict and reason; keys and measurements of the envelope are handed to `ctx` on the way."""
    ended = _ended_badly(attempt)
    if ended:
        return "error", ended
    try:
        verdict, reason = _said(attempt, ctx)
    except ValueError as error:
        return "error", str(error)
    if verdict != "passed":
        return verdict, reason
    return next((failed for name in success for failed in CRITERIA[name](success[name], ctx)), ("passed", ""))


def _ended_badly(attempt: Attempt) -> str:
    if attempt.stopped:
        return attempt.stopped
    if attempt.signal:
        return "killed by %s" % signal.Signals(attempt.signal).name
    return ""


def _said(attempt: Attempt, ctx: View) -> tuple[str, str]:
    """What the scriptlet itself says: its envelope, or the end of its Python class."""
    envelope = read_envelope(attempt.stdout)
    if envelope is None:
        if attempt.ending is not None:
            return attempt.ending["verdict"], attempt.ending["reason"]
        raise ValueError(missing(attempt.stdout) + _exit(attempt))
    _take_outputs(envelope, ctx)
    if envelope["status"] == "ok" and attempt.exit_code:
        raise ValueError("the envelope says ok, but the exit code is %d" % attempt.exit_code)
    return VERDICTS[envelope["status"]], str(envelope.get("reason") or "")


def _exit(attempt: Attempt) -> str:
    if not attempt.exit_code:
        return ""
    log = attempt.stderr.text(400).strip().rpartition("\n")[2]
    return " (exit code %d%s)" % (attempt.exit_code, ": " + log if log else "")


def _take_outputs(envelope: dict[str, Any], ctx: View) -> None:
    outputs = envelope.get("outputs") or {}
    if isinstance(outputs, dict):
        for key, value in outputs.items():
            ctx.set(key, value)
    else:
        absent = [key for key in outputs if key not in ctx.keys()]
        if absent:
            raise ValueError("the envelope names outputs that were never set: %s" % ", ".join(map(str, absent)))
    for item in envelope.get("measurements") or ():
        ctx.take_measurement(item)


def _has_keys(keys: list[str], ctx: View) -> list[tuple[str, str]]:
    there = set(ctx.keys())
    absent = [key for key in keys if key not in there]
    return [("failed", "the context has no key %s" % ", ".join(absent))] if absent else []


CRITERIA: dict[str, Callable[[Any, View], list[tuple[str, str]]]] = {"ctx_has_keys": _has_keys}
