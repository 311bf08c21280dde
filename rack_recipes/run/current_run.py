# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of this process.

Its inputs, its results, those that it may reuse or has heard from other parts of its group, and how it ended. The
recorder and lookups use it; workers inherit it as it is when they are forked.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, VERDICTS, WAIVED
from rack_recipes.context.merge_hooks import MergeHooks
from rack_recipes.context.run_context import Context, count_step
from rack_recipes.errors import UsageError, nearest
from rack_recipes.journal.allowed_records import RECORDS
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import ClockRecord, Record, RunStep
from rack_recipes.journal.step_results_and_end_status import (
    EXIT_CODES,
    INCOMPLETE,
    NOTHING,
    UNTESTED,
    Cell,
    CountedRecords,
    Results,
    StepEnd,
    status_of,
    stop_of,
)
from rack_recipes.recipe.waivers import RunWaivers
from rack_recipes.run.delegates import DelegateGroups
from rack_recipes.run.run_secrets import SecretRegistry
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    from rack_recipes.run.context_server_client import GroupKeys
    from rack_recipes.run.earlier_run import EarlierRun, Offer


@dataclass(slots=True)
class Peers:
    """The hosts and results of other parts.

    `hosts` has the hosts of each step that this part does not have, `patterns` those of each pattern that a step names,
    `places` in which part each host is, in words. `ended` is how their steps ended, `records` the same as records.
    `held_back` says by the number of a stage why it does not begin, `ran` which part has run it for all. `canary` has
    the hosts of other parts that run first, and `halted` why nothing may start behind them any more.
    """

    hosts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    patterns: dict[str, frozenset[str]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    ended: dict[Cell, StepEnd] = field(default_factory=dict)
    records: CountedRecords = field(default_factory=CountedRecords)
    held_back: dict[int, str] = field(default_factory=dict)
    ran: dict[int, str] = field(default_factory=dict)
    canary: tuple[str, ...] = ()
    halted: str = ""

    def of_step(self, step: str, own: Iterable[str]) -> tuple[str, ...]:
        """The hosts of a step in the whole group; `own` are those of this part."""
        return (*own, *self.hosts.get(step, ()))

    def why(self, host: str, end: StepEnd | None) -> str:
        """How a step ended that did not pass on a host, for people: the verdict, and where, if that is elsewhere."""
        place = self.places.get(host)
        if place is None:
            return end.verdict if end else "error"
        return f"{end.verdict if end else 'no result'} on {host} {place}"


@dataclass(slots=True)
class ReusableResults:
    """The earlier run that is resumed, if any, and the cached results of each cell, the newest first."""

    earlier: EarlierRun | None = None
    cached: Mapping[Cell, Sequence[Offer]] = field(default_factory=dict)

    def offers(self, steps: Iterable[Mapping[str, Any]], host: str, delegate: str = "") -> dict[str, list[Offer]]:
        """The results by step that may be reused on a host; the executor takes the first one with the same inputs.

        Only a result that came through the same `delegate` counts: what a step sees of a device may differ by it.
        A closing step (`always`) has none: what it closes may have run again.
        """
        if self.earlier is None and not self.cached:
            return {}
        names = [step["name"] for step in steps if not step.get("always")]
        resumed = {name: self.earlier.offer(name, host) if self.earlier else None for name in names}
        found = {name: [*filter(None, [resumed[name]]), *self.cached.get(Cell(name, host), ())] for name in names}
        same = {step: [each for each in offers if _through(each) == delegate] for step, offers in found.items()}
        return {step: offers for step, offers in same.items() if offers}


def _through(offer: Offer) -> str:
    """The host that ran the step of an offer, whose record is the last one, on behalf of its own one."""
    return next((str(each.get("through", "")) for each in reversed(offer["records"]) if each["kind"] == "step"), "")


RUN_HOST = ""  # the host of a step that runs once for the run
THIS_RUN = "this run"


class Judged(NamedTuple):
    """Stages that a verdict task judges, all where there are none, and whose they are, in words."""

    stages: tuple[int, ...] = ()
    name: str = THIS_RUN


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a run starts with.

    `recipe` is the recipe's part of the compiled plays, `params` the values of its parameters, `role_variables`
    what stands in their place for our roles, to be shown, `options` the user's options. `secrets` are sent to all
    hosts; `mask` hides these and more. `warnings` are for the user. `patterns` has the hosts of each pattern that a
    step names. `canary` has the hosts that run first. `unknown_hosts` are hosts of the imported context that are
    not in this run. `attributes` has by host what the inventory says of it; `inventory` is where the hosts are from.
    `group` is empty for a run that is no part of one.
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    role_variables: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    mask: Mask = field(default_factory=lambda: Mask(()))
    options: Mapping[str, Any] = field(default_factory=dict)
    patterns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    canary: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unknown_hosts: tuple[str, ...] = ()
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inventory: tuple[str, ...] = ()
    waivers: RunWaivers = field(default_factory=RunWaivers)
    group: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_check(self) -> bool:
        """Whether the run is in Ansible's check mode."""
        return bool(self.options.get("check"))


class GroupMeeting(Protocol):
    """Where this run meets the other parts of its group (`run/group_meeting.py`), as far as a run knows it."""

    group_keys: GroupKeys

    @property
    def has_canary(self) -> bool:
        """Whether a canary that is a number of hosts is in this part."""

    def begin_behind_canary(self, run: Run, task: str, is_ending: Callable[[], bool]) -> None:
        """Wait for the canary before a stage of other hosts."""

    def begin_stage(self, run: Run, number: int, is_ending: Callable[[], bool]) -> None:
        """Wait for the other parts before a stage that needs them."""

    def stage_ended(self, run: Run, number: int) -> str:
        """Tell the other parts how a stage ended; why they were not told, else empty."""

    def leave(self, run: Run) -> str:
        """Tell the other parts that this one has ended; why they were not told, else empty."""


@dataclass
class Run:
    """One run: its folder, its plan, and its state so far.

    `left_out` names the steps that tags leave out. `answered` has each (stage, host) of which an answer came. `judged`
    has the host that a policy was asked about for each stage and host; it is empty without a policy. `stages` has the
    ids of the planned stage tasks, `verdicts` what verdict tasks judge by their ids, `together` the tasks that one
    process runs on all hosts, `between` those of steps between hosts, `play` Ansible's play that
    goes on. `started` is a reading of the monotonic clock, in seconds. `peers` is what is known of the other parts of
    the group, and `meeting` where they meet, None for a run that meets nobody. `stopped` says who has asked for its
    end, and when.
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
    verdicts: Mapping[str, tuple[Judged, ...]] = field(default_factory=dict)
    failed_verdicts: dict[str, None] = field(default_factory=dict)  # what verdict tasks that failed have said, once
    together: Mapping[str, Any] = field(default_factory=dict)
    between: Mapping[str, Any] = field(default_factory=dict)
    play: Any = None
    delegates: DelegateGroups = field(default_factory=DelegateGroups)
    results: Results = field(default_factory=Results)
    left_out: set[str] = field(default_factory=set)
    answered: set[tuple[int, str]] = field(default_factory=set)
    judged: Mapping[tuple[int, str], str] = field(default_factory=dict)
    merges: MergeHooks = field(default_factory=MergeHooks)
    written: set[tuple[str, str]] = field(default_factory=set)  # each step with each key that it has set
    _final_records: list[Record] = field(default_factory=list, init=False)
    started: float = field(default_factory=time.monotonic)
    secret_registry: SecretRegistry = field(default_factory=SecretRegistry)
    peers: Peers = field(default_factory=Peers)
    meeting: GroupMeeting | None = None
    stopped: Mapping[str, str] = field(default_factory=dict)
    unwritable: str = ""  # why nothing can be added to the journal
    stored: str | None = None  # why the last flush failed; empty once the store holds all

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self.folder / JOURNAL

    def catch_up(self, show: Callable[[Record], object] = lambda _record: None) -> None:
        """Read the new records of the journal into this run. `show` gets those that are only for people (`log`)."""
        self.journal.dispatch(
            {
                "run": self._begin,
                "delta": self._change,
                "merge": self._change,
                "step": self._end_step,
                "clock": self._note_answer,
                "warning": self._note_stop,
                "log": show,
            }
        )

    def _begin(self, record: Record) -> None:
        self.stopped = {}  # it goes on after an earlier end
        self.context.fold(record)

    def _change(self, record: Record) -> None:
        self.written.add((record["step"], record["key"]))
        for delta in self.context.fold(record):
            self.merges.add(record, delta, self.context)

    def _end_step(self, record: Record) -> None:
        final = count_step(self.context, self.results, record)
        if final is not record:
            self._final_records.append(final)

    def _note_answer(self, record: ClockRecord) -> None:
        self.answered.add((record["stage"], record["host"]))

    def _note_stop(self, record: Record) -> None:
        self.stopped = stop_of(record) or self.stopped

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

    def end_of(self, step: str, host: str) -> StepEnd | None:
        """How a step ended on a host of this run; None without a result."""
        return self.results.ended.get(Cell(step, host))

    def ended_anywhere(self, step: str, host: str) -> StepEnd | None:
        """The same for a host of this run or of another part."""
        return self.end_of(step, host) or self.peers.ended.get(Cell(step, host))

    def missing(self) -> list[tuple[RunStep, str]]:
        """The planned cells that have no verdict."""
        ended = self.results.ended
        return [(step, host) for step in self.steps.values() for host in step.hosts if (step.name, host) not in ended]


NO_KEY = "no stage has set any key there yet"


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


def why_missing(run: Run, key: str, host: str) -> str:
    """Why nothing is found under a key of the context, for people: what was probably meant, or what there is."""
    if host and host not in run.hosts:
        near = f" (did you mean {name!r}?)" if (name := nearest(host, run.hosts)) else ""
        return f"the run has no host {host!r}{near}, and the context no key {key} of the run"
    keys = sorted({*run.context.held(host), *run.context.held()})
    told = f"it has {first_few(get_close_matches(key, keys, REASONS) or keys, REASONS)}" if keys else NO_KEY
    return f"the context has no key {key} for {host or 'the run'}: {told}"


def set_pending(begin: Callable[[], object] | None) -> None:
    """Set the function that begins the run; None where it has begun."""
    _HOLDER.begin = begin


def begin_pending() -> None:
    """Begin the run now if its playbook has started: the hosts of the play that starts depend on it."""
    begin, _HOLDER.begin = _HOLDER.begin, None
    if begin is not None:
        begin()


NOT_IN_STORE = "the results are not in the store"
REFUSED = "rack.recipes.recorder: nothing is run: "  # what the recorder says before the reason
NAMED = 3  # steps that ended alike
REASONS = 5  # shown in a recap; the store has them all
IN_CHECK = "check mode: nothing was run, and nothing is wrong as far as can be told before"
LEFT_OUT = "left out by its tags"


@dataclass(frozen=True, slots=True)
class Part:
    """What of a run is judged: the whole of it, or `stages` only where there are any.

    What runs once for the run counts for the host `first`, by default the first host of the run. That nothing passed,
    or was checked, counts for every host.
    """

    run: Run
    stages: Collection[int] = ()
    first: str = ""
    name: str = THIS_RUN

    def results(self) -> Iterator[tuple[Cell, StepEnd]]:
        """The results that count. That of a step which no plan knows always does."""
        for cell, end in self.run.results.counted():
            step = self.run.steps.get(end.parent or cell.step)
            if not self.stages or step is None or step.stage in self.stages:
                yield cell, end

    def is_left_out(self) -> bool:
        """Whether tags leave out all steps of the stages."""
        names = {step.name for step in self.run.steps.values() if step.stage in self.stages}
        return bool(names) and names <= self.run.left_out

    def bad(self) -> dict[str, dict[str, StepEnd]]:
        """The steps that did not pass, by host.

        What runs once for the run and was blocked by a host that is named here is no failure of another host.
        """
        found: dict[str, dict[str, StepEnd]] = {}
        wrong = [(place, end) for place, end in self.results() if end.verdict not in HARMLESS]
        is_named = any(host != RUN_HOST for (_step, host), _end in wrong)
        for (step, host), end in wrong:
            if host != RUN_HOST:
                found.setdefault(host, {})[step] = end
            elif end.verdict != "blocked" or not is_named:
                found.setdefault(self.first or self.run.hosts[0], {})[step] = end
        return found

    def nothing(self) -> str:
        """Why it did not pass although no step went wrong, with why steps were skipped; empty where it did."""
        counts = Counter(end.verdict for _place, end in self.results())
        checks = sum(end.checks for _place, end in self.results())
        has_untested = any(end.reason == UNTESTED for _place, end in self.results())
        status = status_of(counts, checks, is_check=self.run.inputs.is_check, has_untested=has_untested)
        nothing = NOTHING.get(status, "").format(self.name)
        skipped = dict.fromkeys(f"{name}: {end.reason}" for (name, _host), end in self.results() if end.reason)
        return f"{nothing} ({first_few([*skipped], REASONS)})" if nothing and skipped else nothing

    def bears(self, host: str, nothing: str) -> bool:
        """Whether what `nothing` says counts for this host: that others took part in no test counts for one."""
        return not nothing.startswith(NOTHING[INCOMPLETE]) or host == (self.first or self.run.hosts[0])


def counts_of(run: Run) -> dict[str, int]:
    """How many cells have each verdict; instances of a looped step count instead of it."""
    return dict(sorted(Counter(end.verdict for _place, end in run.results.counted()).items()))


def checks_of(run: Run) -> int:
    """How many criteria were judged."""
    return sum(end.checks for _place, end in run.results.counted())


def run_status(run: Run) -> str:
    """The status that a run ends with so far. Where of several roles one has tested nothing, its verdict has failed."""
    status = status_of_results(run)
    return "failed" if status == "passed" and run.failed_verdicts else status


def status_of_results(run: Run) -> str:
    """The status of a run by its results alone."""
    has_untested = run.results.has_untested()
    return status_of(counts_of(run), checks_of(run), is_check=run.inputs.is_check, has_untested=has_untested)


def not_passed(run: Run) -> list[str]:
    """The hosts that did not pass, in the order of the run."""
    whole = Part(run)
    bad = whole.bad()
    if not bad and (nothing := whole.nothing()):
        return [host for host in run.hosts if whole.bears(host, nothing)]
    return [host for host in run.hosts if host in bad]


def host_result(part: Part, host: str) -> dict[str, Any]:
    """The verdict task's result for a host, with its reasons."""
    if part.is_left_out():
        return {"changed": False, "skipped": True, "msg": LEFT_OUT}
    found = part.bad()
    bad = found.get(host, {})
    if not found and (nothing := part.nothing()) and part.bears(host, nothing):
        return {"changed": False, "failed": True, "msg": nothing}
    if not bad:
        return {"changed": False, "msg": IN_CHECK if part.run.inputs.is_check else _all_passed(part, host)}
    alike = _alike(bad)
    reasons = [f"{first_few(steps, NAMED)} {verdict}: {reason}" for (verdict, reason), steps in alike.items()]
    verdicts = {end.verdict for end in bad.values()}
    kind = "unreachable" if "unreachable" in verdicts and verdicts <= {"unreachable", "blocked"} else "failed"
    first = {step: alike[end.verdict, end.reason][0] for step, end in bad.items()}
    lines = [
        f"{end.verdict:<11} {step}  {end.reason if first[step] == step else f'as {first[step]}'}"
        for step, end in bad.items()
    ]
    return {"changed": False, kind: True, "msg": "; ".join(reasons[:REASONS]), "steps": lines}


def _alike(bad: Mapping[str, StepEnd]) -> dict[tuple[str, str], list[str]]:
    """The steps that ended alike, by verdict and reason: all those of a host that cannot be reached do."""
    found: dict[tuple[str, str], list[str]] = {}
    for step, end in bad.items():
        found.setdefault((end.verdict, end.reason), []).append(step)
    return found


WAITS = "it did not pass, as the verdict of the role behind this one says"


def results_of(parts: Sequence[Part], host: str, *, is_last: bool) -> dict[str, Any]:
    """The verdict task's result for what it judges. Of what a later task judges (not `is_last`) nothing fails yet.

    A host that cannot be reached is given up at once: a later role would only wait for it again.
    """
    found = [host_result(part, host) for part in parts]
    bad = [each for each in found if each.keys() & {"failed", "unreachable"}]
    if not bad:
        return found[-1]
    kind = "failed" if any("failed" in each for each in bad) else "unreachable"
    if not is_last and kind == "failed":
        return {"changed": False, "msg": WAITS}
    steps = [line for each in bad for line in each.get("steps", ())]
    msg = "; ".join(each["msg"] for each in bad)
    return {"changed": False, kind: True, "msg": msg, **({"steps": steps} if steps else {})}


def _all_passed(part: Part, host: str) -> str:
    """What is said of a host that passed: also which of its failures somebody has accepted, and that none was tried."""
    own = {step: end for (step, place), end in part.results() if place == host}
    if own and {end.verdict for end in own.values()} == {"skipped"}:
        why = dict.fromkeys(f"{step}: {end.reason}" for step, end in own.items())
        return f"every step was skipped here ({first_few([*why], REASONS)})"
    waived = [step for step, end in own.items() if end.verdict == WAIVED]
    return f"every step passed or is waived: {first_few(waived, REASONS)}" if waived else "every step passed"
