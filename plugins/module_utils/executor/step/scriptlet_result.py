# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The envelope: the JSON object on the last line of a scriptlet's stdout."""

from __future__ import annotations

import json

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import bounded
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.output_capture import TAIL, OutputCapture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask

FIELDS = ("reason", "outputs", "measurements", "checks", "secrets", "artifacts")  # beside the status
OF_ANALYSIS = "findings"  # a field only for a scriptlet that declares to read the run's results, or its history
KNOWN = ("status", "exit_code", "step")  # the last two of the first proposal
CLOSE = 0.87  # how alike two names are, of 1, where one is the other misspelt
VERDICTS = {"ok": "passed", **{name: name for name in ("failed", "error", "skipped")}}
SHOWN = 400
DIGITS = 1000  # Python takes minutes to read a number of a million digits


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError
    return int(digits)


_decode = json.JSONDecoder(parse_int=_integer).decode


def read_envelope(
    stdout: OutputCapture,
    *,
    needed: bool = True,
    secret: Callable[[Any], object] | None = None,
    analyses: bool = False,
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
    if not isinstance(found.get("status"), str) or found["status"] not in VERDICTS:
        known = ", ".join([*VERDICTS][:-1]) + f" or {[*VERDICTS][-1]}"
        raise ValueError(f"the envelope's status must be {known}, got {bounded(repr(found.get('status')))}")
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


def missing(stdout: OutputCapture, mask: Mask | None = None) -> str:
    """Why there is no envelope, with what was printed instead, less what `mask` takes out."""
    if not stdout.size:
        return "printed no envelope: its stdout is empty"
    if stdout.size > TAIL and b"\n" not in stdout.ending().rstrip():
        return f"printed no envelope: its last line is longer than {TAIL} bytes"
    text = stdout.end(SHOWN, mask)
    return f"printed no envelope as its last line, but {stdout.size} bytes that end with: {text}"
