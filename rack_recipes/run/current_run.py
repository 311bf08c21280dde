# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of this process. The recorder and lookups use it; workers inherit it as it is when they are forked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.context.merge_hooks import MergeHooks
from rack_recipes.context.run_context import Context
from rack_recipes.errors import UsageError
from rack_recipes.journal.allowed_records import RECORDS
from rack_recipes.journal.end_status import EXIT_CODES, stop_of
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.step_results import Place, Results, StepEnd
from rack_recipes.recipe.waivers.in_force import RunWaivers
from rack_recipes.run.delegate_groups import DelegateGroups
from rack_recipes.run.group.results_of_other_parts import Peers
from rack_recipes.run.reuse.reusable_results import ReusableResults
from rack_recipes.run.secrets.secret_registry import SecretRegistry
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    from rack_recipes.run.group.meeting import Meeting

RUN_HOST = ""  # the host of a step that runs once for the run

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunStep:
    """A step of this run.

    `hosts` are those of this run that the step is for; there may be none. `elsewhere` has the keys that it reads of
    other hosts. `optional` is whether its failure blocks nothing. Results under its `cache_key` are reused for
    `expires_sec` seconds, None for ever.
    """

    name: str
    stage: int
    idx: int
    scope: str
    hosts: tuple[str, ...]
    elsewhere: frozenset[str] = frozenset()
    optional: bool = False
    cache_key: str = ""
    expires_sec: float | None = None


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a run starts with.

    `recipe` is the recipe's part of the compiled plays, `params` the values of its parameters, `options` the user's
    options. `secrets` are sent to all hosts; `mask` hides these and more. `warnings` are for the user. `patterns` has
    the hosts of each pattern that a step names. `canary` has the hosts that run first. `unknown_hosts` are hosts of the
    imported context that are not in this run. `attributes` has by host what the inventory says of it. `group` is empty
    for a run that is no part of one.
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    mask: Mask = field(default_factory=lambda: Mask(()))
    options: Mapping[str, Any] = field(default_factory=dict)
    patterns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    canary: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unknown_hosts: tuple[str, ...] = ()
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    waivers: RunWaivers = field(default_factory=RunWaivers)
    group: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_check(self) -> bool:
        """Whether the run is in Ansible's check mode."""
        return bool(self.options.get("check"))


@dataclass
class Run:
    """One run: its folder, its plan, and its state so far.

    `left_out` names the steps that tags leave out. `answered` has each (stage, host) of which an answer came. `judged`
    has the host that a policy was asked about for each stage and host; it is empty without a policy. `stages` has the
    ids of the planned stage tasks. `started` is a reading of the monotonic clock, in seconds. `peers` is what is known
    of the other parts of the group, and `meeting` where they meet, None for a run that meets nobody. `stopped` says who
    has asked for its end, and when.
    """

    run_id: str
    folder: Path
    settings: Settings
    hosts: tuple[str, ...]
    steps: Mapping[str, RunStep]
    context: Context
    journal: JournalReader
    inputs: RunInputs = field(default_factory=RunInputs)
    reusable: ReusableResults = field(default_factory=ReusableResults)
    stages: frozenset[str] = frozenset()
    delegates: DelegateGroups = field(default_factory=DelegateGroups)
    results: Results = field(default_factory=Results)
    left_out: set[str] = field(default_factory=set)
    answered: set[tuple[int, str]] = field(default_factory=set)
    judged: Mapping[tuple[int, str], str] = field(default_factory=dict)
    merges: MergeHooks = field(default_factory=MergeHooks)
    _final_records: list[Record] = field(default_factory=list, init=False)
    started: float = field(default_factory=time.monotonic)
    secret_registry: SecretRegistry = field(default_factory=SecretRegistry)
    peers: Peers = field(default_factory=Peers)
    meeting: Meeting | None = None
    stopped: Mapping[str, str] = field(default_factory=dict)
    unwritable: str = ""  # why nothing can be added to the journal
    stored: str | None = None  # why the last flush failed; empty once the store holds all

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self.folder / JOURNAL

    def catch_up(self, show: Callable[[Record], object] = lambda _record: None) -> None:
        """Read the new records of the journal into this run. `show` gets those that are only for people (`log`)."""
        for line in self.journal.read():
            record = line.record
            if record is None:
                continue
            if record["kind"] == "step":
                self._add_step(record)
            elif record["kind"] == "log":
                show(record)
            elif record["kind"] == "clock":
                self.answered.add((record["stage"], record["host"]))
            elif record["kind"] == "warning":
                self.stopped = stop_of(record) or self.stopped
            else:
                if record["kind"] == "run":  # it goes on after an earlier end
                    self.stopped = {}
                for delta in self.context.fold(record):
                    self.merges.add(record, delta, self.context)

    def _add_step(self, record: Record) -> None:
        final = self.context.refusals.final_record(record)
        if final is not record:
            self._final_records.append(final)
        self.results.add(final)

    def to_append(self) -> list[Record]:
        """The records that the journal needs after `catch_up`: final ones of steps, and results of merge hooks."""
        final, self._final_records = self._final_records, []
        return [*final, *self.merges.records(self.context)]

    def own_words(self) -> list[str]:
        """What this run itself shows everywhere: verdicts, fields of records, and names of hosts, steps and keys."""
        fields = {name for kind, names in RECORDS.items() for name in (kind, *names)}
        return [*VERDICTS, *EXIT_CODES, *fields, *self.hosts, *self.steps, *self.inputs.params, *self.context.keys()]

    def hidden(self, text: str) -> str:
        """A text with all secrets masked that are known by now."""
        return self.secret_registry.hidden(self.inputs.mask.mask(text))

    def representatives(self, number: int) -> list[str]:
        """A host for each delegate of a stage; `delegates` then knows the group that it stands for."""
        chosen = (step for step in self.steps.values() if step.stage == number and step.name not in self.left_out)
        return self.delegates.form(number, [*dict.fromkeys(host for step in chosen for host in step.hosts)])

    def ended_anywhere(self, place: Place) -> StepEnd | None:
        """How a step ended on a host of this run or of another part; None without a result."""
        return self.results.ended.get(place) or self.peers.ended.get(place)

    def missing(self) -> list[tuple[RunStep, str]]:
        """The planned (step, host) pairs that have no verdict."""
        ended = self.results.ended
        return [(step, host) for step in self.steps.values() for host in step.hosts if (step.name, host) not in ended]


class _Holder:
    run: Run | None = None
    begin: Callable[[], object] | None = None
    refusal = UsageError(
        "no run is being recorded: set `callbacks_enabled = rack.recipes.recorder` in the section [defaults] of "
        "ansible.cfg, or ANSIBLE_CALLBACKS_ENABLED=rack.recipes.recorder in the environment"
    )


_HOLDER = _Holder()


def set_current(run: Run | None) -> None:
    """Make `run` the run of this process."""
    _HOLDER.run = run


def refuse(error: Exception) -> None:
    """Set why there is no run: `current` raises this."""
    _HOLDER.refusal = UsageError(str(error))


def current() -> Run:
    """The run of this process. Raises UsageError where there is none, with the reason."""
    if _HOLDER.run is None:
        raise _HOLDER.refusal
    return _HOLDER.run


def set_pending(begin: Callable[[], object] | None) -> None:
    """Set the function that begins the run; None where it has begun."""
    _HOLDER.begin = begin


def begin_pending() -> None:
    """Begin the run now if its playbook has started: the hosts of the play that starts depend on it."""
    begin, _HOLDER.begin = _HOLDER.begin, None
    if begin is not None:
        begin()
