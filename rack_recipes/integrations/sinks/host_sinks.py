# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sink is, and what it is told of a host: the action, why, and the reasons of its results in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rack_recipes.analysis.actions import MONITOR, HostAction
from rack_recipes.errors import UsageError
from rack_recipes.visible_text import visible

LONGEST = 200  # characters of a reason
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
"""Names that a sink is told. Others mean several hosts to Slurm (`n[1-9]`, `ALL`), or another address to HTTP."""
SEVERAL = frozenset(("ALL",))


class Sink(Protocol):
    """Takes a host out of service. `plan` says what it would do, `apply` does it and says what it has done.

    `undo` takes that back.
    """

    @property
    def name(self) -> str:
        """What it is called in answers."""

    def plan(self, host: str, told: str) -> str:
        """What would be done, without asking anybody."""

    def apply(self, host: str, told: str) -> str:
        """Do it. Raises UsageError where it is refused or nobody answers."""

    def undo(self, host: str, mark: str, *, is_dry: bool) -> str:
        """Take back what a reason that begins with `mark` has done; dry, it only asks. Returns what, empty for nothing.

        Raises UsageError.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sink would do or has done with a host; `error` is why it has not."""

    host: str
    sink: str
    done: str
    error: str = ""


def mark_of(run_id: str) -> str:
    """How each reason of a run begins, by which it is known again."""
    return f"rack-recipes {run_id}: "


def reason_of(run_id: str, action: HostAction) -> str:
    """The line that a sink shows: `rack-recipes RUN: replace: gpus: GPU 1 ...`, without control signs of hosts."""
    reasons = "; ".join(f"{step}: {text}" if text else step for step, text in action.reasons.items())
    line = " ".join(visible(f"{mark_of(run_id)}{action.action}: {reasons}").split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def send_actions(
    sinks: Sequence[Sink], actions: Sequence[HostAction], run_id: str, *, is_dry: bool = True
) -> Iterator[Outcome]:
    """Tell each sink of each host whose action is not `monitor`; dry, nobody is asked. A failure stops no other."""
    for action in actions:
        if action.action != MONITOR:
            told = reason_of(run_id, action)
            yield from (_outcome(sink, action.host, told, is_dry=is_dry) for sink in sinks)


def take_back(sinks: Sequence[Sink], hosts: Sequence[str], run_id: str, *, is_dry: bool = True) -> Iterator[Outcome]:
    """Let each sink take back what it was told of these hosts after a run. A failure stops no other."""
    for host in hosts:
        for sink in sinks if _is_name(host) else ():
            try:
                done, error = sink.undo(host, mark_of(run_id), is_dry=is_dry), ""
            except UsageError as problem:
                done, error = "", str(problem)
            if done or error:
                yield Outcome(host, sink.name, done, error)


def _is_name(host: str) -> bool:
    return bool(NAME.fullmatch(host)) and host.upper() not in SEVERAL


def _outcome(sink: Sink, host: str, told: str, *, is_dry: bool) -> Outcome:
    if not _is_name(host):
        return Outcome(host, sink.name, "", f"{host!r} is no name of one host that {sink.name} can be told")
    if is_dry:
        return Outcome(host, sink.name, sink.plan(host, told))
    try:
        return Outcome(host, sink.name, sink.apply(host, told))
    except UsageError as error:
        return Outcome(host, sink.name, "", str(error))
