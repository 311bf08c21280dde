# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program without an envelope says: by its exit code, its last lines, and the patterns for its outputs."""

from __future__ import annotations

import json
import re
import signal
from collections import deque

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import CONVERSIONS
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import TAIL
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import PATIENCE
from ansible_collections.rack.recipes.plugins.module_utils.program_end import BY_SIGNAL, exit_in_words
from ansible_collections.rack.recipes.plugins.module_utils.time_limit import time_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Outcome, Record
    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask

LAST = 3  # lines of a reason
SHOWN = 400  # characters of it
UNRUN = (126, 127)  # a shell's exit codes for a command that it cannot run, or not find
# As in JSON, so that a serial number such as 0012 stays a text; with more digits it is none that a key can hold.
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,3})?")


def judge_output(attempt: Attempt, ctx: ContextView, mask: Mask | None) -> Outcome:
    """Verdict and reason; the keys of `attempt.patterns` are set. Raises ValueError for a key that it has no value for.

    A program that did not pass may leave keys out.
    """
    stream = attempt.stdout if attempt.stdout.ending().strip() else attempt.stderr
    missing = _set_keys(attempt.patterns or {}, stream.ending().decode("utf-8", "backslashreplace"), ctx)
    code = attempt.exit_code
    if code:
        lines = [line.strip() for line in stream.end(SHOWN, mask).splitlines() if line.strip()]
        is_broken = code in UNRUN or code - BY_SIGNAL in {*signal.Signals}
        return "error" if is_broken else "failed", "; ".join(lines[-LAST:]) or f"ended with {exit_in_words(code)}"
    if missing:
        where = f" in its last {TAIL} bytes" if stream.size > TAIL else ""
        raise ValueError("; ".join(missing) + where)
    return "passed", ""


def _set_keys(patterns: Record, text: str, ctx: ContextView) -> list[str]:
    """Set each key to what its pattern finds. Returns why keys have no value; optional ones need none."""
    missing = []
    for key, said in patterns.items():
        try:
            found = _last_match(said["pattern"], text)
            if found:
                ctx.set(key, _value(found, said.get("type", "")))
            elif not said.get("optional"):
                missing.append(f"{key}: nothing that it printed matches {mark_if_long(said['pattern'])}")
        except ValueError as error:
            missing.append(str(error) if str(error).startswith(key) else f"{key}: {error}")
    return missing


def _last_match(pattern: str, text: str) -> re.Match[str] | None:
    """The last match, since a program that prints a value again means the later one. Raises ValueError."""
    try:
        with time_limit(PATIENCE):
            found = deque(re.finditer(pattern, text, re.MULTILINE), maxlen=1)
    except TimeoutError as error:
        raise ValueError(f"the pattern {pattern} {error} on {len(text)} characters: say it simpler") from None
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern} is no regular expression for this host's Python: {error}") from None
    return found[0] if found else None


def _value(found: re.Match[str], kind: str) -> Any:
    """An object of the named groups, or else the value of the group, or else of the whole match."""
    if found.re.groupindex:
        return {name: _read(text, kind) for name, text in found.groupdict().items()}
    return _read(found[found.re.groups], kind)


def _read(text: str | None, kind: str) -> Any:
    """A group as a value: of the declared type, or else a number where it reads as one; null where it took no part."""
    if text is None:
        return None
    if kind:
        try:
            return CONVERSIONS[kind](text)
        except ValueError:
            raise ValueError(f"expected a value of type {kind}, got {mark_if_long(repr(text))}") from None
    return json.loads(text) if NUMBER.fullmatch(text) else text
