# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of a host: the state of a stage, and the records of its journal from the requested offset on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import decode, without_checksum
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK
from rack_recipes.run.stage.connection_errors import is_cut, no_answer
from rack_recipes.run.stage.host_clock import Clock, read_clock

STATUS = {"state", "offset", "boot_id"}
STATES = frozenset(("running", "ended", "killed", "rebooted", "unknown", "refused"))
UNREADABLE: dict[str, Any] = {}  # stands for a whole record that is not JSON, and is none that anybody accepts
FORGED = "the host's answer has no valid {field}: expected {expected}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


# What the last line may have, in words and as a function. The host may have been taken over.
FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "state": (f"one of {', '.join(sorted(STATES))}", lambda value: _is_text(value) and value in STATES),
    "offset": ("a number of bytes", lambda value: type(value) is int and 0 <= value < 2**63),
    "boot_id": ("a text", _is_text),
    "reason": ("a text", _is_text),
    "concealed": ("a text", _is_text),
    "lost": ("a text for each host", lambda value: isinstance(value, dict) and all(map(_is_text, value.values()))),
}


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """One answer.

    `state` is one of the executor's. It is `cut` where the connection ended before the answer did, and `silent` where
    there is no answer; then `reason` says what came instead. `offset` is where the next records begin, in bytes.
    `sealed` is the encrypted text of the entries that no file may hold, `concealed` the same entries once decrypted.
    `lost` says, by host, why nothing could be run for it; only where the stage runs for many.
    `ahead` is by how many seconds the host's `clock` is ahead of this one's, None where that is unknown.
    """

    state: str
    offset: int
    records: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    boot_id: str = ""
    sealed: str = ""
    concealed: tuple[Mapping[str, Any], ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    clock: Clock | None = None
    ahead: float | None = None


def read_answer(
    stage: str, code: int, stdout: str, stderr: str, python: str = "python3", hide: Callable[[str], str] = str
) -> HostAnswer:
    """Find the answer for `stage` in the output of the host's `python`. Banners and noise may stand before it.

    `hide` takes secrets out of the output where a reason quotes it.
    """
    _before, mark, answer = stdout.partition(f"{MARK}{stage}\n")
    if not mark:
        return HostAnswer("cut" if is_cut(code) else "silent", 0, reason=no_answer(code, stdout, stderr, python, hide))
    lines = answer.encode("utf-8", "surrogateescape").split(b"\n")
    status = next(filter(None, map(_status, reversed(lines))), None)
    if status is None:
        return HostAnswer("cut", 0, reason="the answer was cut off")
    for name, (expected, holds) in FIELDS.items():
        if name in status and not holds(status[name]):
            return HostAnswer("silent", 0, reason=FORGED.format(field=name, expected=expected))
    records = tuple(record for line in lines if line and (record := _record(line)) is not None)
    texts = {name: status.get(name, "") for name in ("reason", "boot_id")}
    return HostAnswer(
        status["state"],
        status["offset"],
        records,
        **texts,
        sealed=status.get("concealed", ""),
        lost=status.get("lost", {}),
        clock=read_clock(status.get("clock")),
    )


def _record(line: bytes) -> dict[str, Any] | None:
    """The record on a line; `UNREADABLE` for one that is whole and yet not JSON, None for a line that is none."""
    try:
        found = decode(line)
    except RecursionError:
        return UNREADABLE
    return UNREADABLE if found is None and without_checksum(line) is not None else found


def _status(line: bytes) -> dict[str, Any] | None:
    """What the answer's last line says, None where this is another line: a shell may write more behind it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.keys() >= STATUS else None
