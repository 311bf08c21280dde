# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host answers: its state, and the records of its journal from the offset asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.record import decode
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK

SHOWN = 500
SSH_FAILED = 255
STATUS = {"state", "offset", "boot_id"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`state` is one of the executor's, `cut` where the connection ended before it, `silent` where there is none.

    `reason` says what came instead.
    """

    state: str
    offset: int
    records: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    boot_id: str = ""


def read_answer(stage: str, code: int, stdout: str, stderr: str) -> Answer:
    """Find the answer for `stage` in what came back: banners and noise may stand before it."""
    _before, mark, answer = stdout.partition(f"{MARK}{stage}\n")
    if not mark:
        state = "cut" if code < 0 or code == SSH_FAILED else "silent"
        return Answer(state, 0, reason=_no_answer(code, stdout, stderr))
    lines = answer.encode("utf-8", "surrogateescape").split(b"\n")
    status = next(filter(None, map(_status, reversed(lines))), None)
    if status is None:
        return Answer("cut", 0, reason="the answer was cut off")
    records = tuple(record for line in lines if (record := decode(line)) is not None)
    return Answer(status["state"], status["offset"], records, status.get("reason", ""), status["boot_id"])


def _status(line: bytes) -> dict[str, Any] | None:
    """The answer's last line; behind it a shell may say goodbye."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= STATUS else None


def _no_answer(code: int, stdout: str, stderr: str) -> str:
    said = (stderr.strip() or stdout.strip())[-SHOWN:]
    return f"the executor did not answer (exit code {code}){': ' + said if said else ''}"
