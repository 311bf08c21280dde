# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run in this process: known to the recorder, to lookups, and, as it was at their fork, to Ansible's workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.context.context import Context
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings

RUN_HOST = ""  # the host of a step that runs once for the run


@dataclass(frozen=True, slots=True)
class Planned:
    """A step of this run and the hosts that it is meant for."""

    name: str
    stage: int
    idx: int
    scope: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended on a host. `sure` is false where the recorder had to say it for want of a result."""

    verdict: str
    reason: str
    sure: bool


@dataclass
class Run:
    """One run: where it is kept, what is planned, and what is known of it so far."""

    run_id: str
    folder: Path
    settings: Settings
    hosts: tuple[str, ...]
    steps: Mapping[str, Planned]
    context: Context
    journal: Follower
    ended: dict[tuple[str, str], Ended] = field(default_factory=dict)
    unselected: set[tuple[str, str]] = field(default_factory=set)
    stored: str | None = None  # why the last flush failed; empty once the store holds all

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self.folder / "journal.jsonl"

    def catch_up(self) -> None:
        """Fold in what the journal gained."""
        for line in self.journal.read():
            if line.record is not None:
                self._fold(line.record)

    def _fold(self, record: dict[str, Any]) -> None:
        if record["kind"] == "step":
            place = (record["step"], record["host"])
            sure = record["n"] > 0
            if sure or place not in self.ended:
                self.ended[place] = Ended(record["verdict"], record["reason"], sure)
        else:
            self.context.fold(record)

    def missing(self) -> list[tuple[Planned, str]]:
        """The planned (step, host) pairs that have no verdict."""
        return [
            (step, host) for step in self.steps.values() for host in step.hosts if (step.name, host) not in self.ended
        ]

    def verdict_of(self, step: str, host: str) -> str:
        """What an earlier step means for one that needs it on `host`: its verdict there, or the worst of all hosts."""
        planned = self.steps[step]
        places = [host] if host in planned.hosts else list(planned.hosts)
        verdicts = [self.ended[step, place].verdict for place in places if (step, place) in self.ended]
        bad = [verdict for verdict in verdicts if verdict not in PASSING]
        if bad:
            return bad[0]
        return "passed" if len(verdicts) == len(places) else "skipped"


class _Holder:
    run: Run | None = None
    refusal = UsageError(
        "no run is being recorded: set `callbacks_enabled = rack.recipes.recorder` in the section [defaults] of "
        "ansible.cfg, or ANSIBLE_CALLBACKS_ENABLED=rack.recipes.recorder in the environment"
    )


_HOLDER = _Holder()


def set_current(run: Run | None) -> None:
    """Make `run` the one that this process is about."""
    _HOLDER.run = run


def refuse(error: UsageError) -> None:
    """Remember why there is no run, for all who ask for it."""
    _HOLDER.refusal = error


def current() -> Run:
    """The run of this process. Raises UsageError where there is none, with the reason."""
    if _HOLDER.run is None:
        raise _HOLDER.refusal
    return _HOLDER.run
