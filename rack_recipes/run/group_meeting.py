# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the parts of a group meet: before each stage that needs the hosts of all of them, and behind the canary.

A part tells the others what has become of its own hosts, waits until all have come to the same stage, and takes from
them what the stage needs to know: how steps ended there, and the context. So a stage is judged by the same code as in a
run with one controller. It all happens in Ansible's main process, where no worker runs between two stages.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.live_client import LiveError, Lost
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import Record
from rack_recipes.journal.step_results_and_end_status import Results, cell_of
from rack_recipes.run.context_server_client import ALIVE, DEAD, MEMBER, NEWS, RUNNER, GroupKeys, Heartbeat
from rack_recipes.run.current_run import RUN_HOST, Run
from rack_recipes.run.missing_results_and_artifacts import missing_result
from rack_recipes.store.stored_plan import unpack_plan


@dataclass(frozen=True, slots=True)
class GroupStage:
    """Whether it runs once for all parts, and whether it closes the run."""

    is_once: bool = False
    is_closing: bool = False


@dataclass(frozen=True, slots=True)
class MeetingPlaces:
    """The stages that need all parts, by number.

    `behind_canary` has, by the id of a stage task that only runs behind the canary, the first stage of its play; the
    canary may run the same stages in tasks of its own. `is_counted` is whether the canary is a number of hosts: then a
    play runs in batches, and it is the first batch of the part at the first place.
    """

    stages: Mapping[int, GroupStage] = field(default_factory=dict)
    behind_canary: Mapping[str, int] = field(default_factory=dict)
    is_counted: bool = False


News = Mapping[str, Any]
LOOK = 1.0  # seconds between two looks whether a part is alive
ENDED = "its controller ended without a word"


@dataclass
class OtherPart:
    """A part of the group at its place; `about` is empty until it has come.

    `stage` is the last one of those at which all meet that it has come to. `gone` says why it will tell nothing more.
    """

    group_keys: GroupKeys
    place: int
    parts: int
    about: dict[str, Any] = field(default_factory=dict)
    stage: int = 0
    is_over: bool = False
    gone: str = ""
    _version: int = 0
    _unread: deque[News] = field(default_factory=deque)
    _heartbeat: int = 0
    _heartbeat_at: float = 0.0
    _looked_at: float = 0.0

    @property
    def words(self) -> str:
        """What people call it."""
        name = f"part {self.place} of {self.parts}"
        return f"{name} ({self.about['name']} on {self.about['controller']})" if self.about else name

    def has_come(self) -> bool:
        """Whether it has begun; looked up until it has."""
        if not self.about:
            _version, found = self.group_keys.read(MEMBER, self.place)
            self.about = found or {}
        return bool(self.about)

    def read_next(self, wait: float) -> News | None:
        """The next news; waits for some, in seconds, and returns None where there is none."""
        if not self._unread:
            fresh = self.group_keys.news(self.place, self._version, wait)
            self._version += len(fresh)
            self._unread.extend(fresh)
        if not self._unread:
            return None
        found = self._unread.popleft()
        self.stage = max(self.stage, int(found["stage"]))
        self.is_over |= bool(found["over"])
        return found

    def look_after(self, by: int) -> None:
        """Find out whether it is alive: if its lease is over, or its controller said that it ended, it is gone.

        Only a clock here counts, and only while the server answers: neither a clock that is wrong nor a server that is
        away for a while makes a part look dead.
        """
        now = time.monotonic()
        if now - self._looked_at < LOOK:
            return
        was_away, self._looked_at = now - self._looked_at > self.about["lease"] / 2, now
        if self.group_keys.read(DEAD, self.place)[0]:
            self.gone = ENDED
            return
        heartbeat, _value = self.group_keys.read(ALIVE, self.place)
        if heartbeat != self._heartbeat or was_away:
            self._heartbeat, self._heartbeat_at = heartbeat, now
        elif now - self._heartbeat_at > self.about["lease"]:
            self.group_keys.take(DEAD, self.place, {"by": by, "reason": f"not heard of for {self.about['lease']:g} s"})
            self.gone = ENDED


PIECE = 1.0  # seconds of one wait for a part: then it is looked whether it is alive, and whether this run is to end
PAUSE = 0.5  # seconds between two tries to reach a server that is away
HEARTBEATS = 8  # in the time of a lease
LARGEST = 500_000  # characters of the items of one news; the server takes values of up to 1 MiB
COMES_FROM = "part"  # the field of a record that this part has from another one
DIFFERS = (
    "{}: it runs another recipe, or another selection of its steps, or names another number of parts; start all parts "
    "alike, or give this run a group of its own"
)
FULL = (
    "the group {} has its {} parts already: {}. If one of them is to run again, start all parts again with a new group"
)
IN_NO_PART = "(which is in no part of the group)"
NEVER_CAME = (
    "{} did not come within {} s: start all parts at the same time, in AWX with room for each slice, or let them wait "
    "longer (setting group_wait)"
)
TAKEN_FOR_DEAD = "the other parts have taken this one for dead: {}"


class Stopped(Exception):
    """The run is to end."""


@dataclass(frozen=True, slots=True)
class Member:
    """What a part says of itself when it comes. `signature` is the same for all parts that run the same steps."""

    name: str
    controller: str
    parts: int
    signature: str
    lease: float
    plan: Mapping[str, Any]
    patterns: Mapping[str, Any]
    canary: Sequence[str] = ()

    def to_value(self) -> dict[str, Any]:
        """It as JSON data."""
        return {name: getattr(self, name) for name in self.__slots__}


class Meeting:
    """The part of this process, and all others. `places` says where they meet.

    `patience` is how long a part that has not begun is waited for, and a server that is away, in seconds.
    """

    def __init__(
        self, group_keys: GroupKeys, group: str, member: Member, places: MeetingPlaces, patience: float
    ) -> None:
        self.group_keys = group_keys
        self.place = _taken(group_keys, group, member)
        self.stages = places.stages
        self._places = places
        self._others = [
            OtherPart(group_keys, place, member.parts) for place in range(1, member.parts + 1) if place != self.place
        ]
        self._patience = patience
        self._until = 0.0  # when a part that has not begun is waited for no more
        self._met: set[int] = set()
        self._batches: dict[str, int] = {}  # how often each task behind the canary has begun
        self._own_keys: dict[str, Any] = {}
        self._results = Results()
        self._journal: JournalReader | None = None
        self._is_over = False
        self._heartbeat = Heartbeat(
            member.lease / HEARTBEATS,
            lambda: group_keys.put(ALIVE, self.place, now()),
            lambda: group_keys.take(DEAD, self.place, {"by": self.place, "reason": ENDED}),
        )

    def begin_stage(self, run: Run, number: int, is_ending: Callable[[], bool] = lambda: False) -> None:
        """Meet the others before a stage, if it needs them. `run.peers` then has what they know.

        Where that is not possible, `run.peers` says why the stage cannot begin. Returns early where the run is to end.
        """
        if number not in self.stages or number in self._met:
            return
        self._met.add(number)
        try:
            self._insist(lambda: self._tell(run, stage=number), is_ending)
            self._take(run, number, self._wait_for_all(number, is_ending, self._others))
            if reason := self._why_not(number):
                run.peers.held_back[number] = reason
            elif self.stages[number].is_once:
                self._agree_on_runner(run, number, is_ending)
        except LiveError as error:
            run.peers.held_back[number] = f"this stage needs the other parts of the group, and {error}"
        except Stopped:
            return

    @property
    def has_canary(self) -> bool:
        """Whether the canary, where it is a number of hosts, is in this part: it is in the first one that came."""
        return not self._places.is_counted or self.place == 1

    def begin_behind_canary(self, run: Run, task: str, is_ending: Callable[[], bool] = lambda: False) -> None:
        """Wait for the canary before a stage of other hosts. `task` is the id of the stage's task.

        Where it did not pass, or nobody knows that, `run.peers` says so. Returns early where the run is to end.
        """
        if task not in self._places.behind_canary:
            return
        self._batches[task] = self._batches.get(task, 0) + 1
        is_canary = self._places.is_counted and self.place == 1 and self._batches[task] == 1
        number = self._places.behind_canary[task]
        if is_canary or number in self._met:
            return
        self._met.add(number)
        parts = [part for part in self._others if part.place == 1 or not self._places.is_counted]
        try:
            self._insist(lambda: self._tell(run, stage=number), is_ending)
            news = self._wait_for_all(number, is_ending, parts)
            self._take(run, number, news, is_whole=not self._places.is_counted)
        except LiveError as error:
            run.peers.halted = f"nobody knows whether the canary passed, since {error}"
        except Stopped:
            return
        run.peers.canary = tuple(host for part in parts if part.about for host in part.about["canary"])
        run.peers.halted = run.peers.halted or self._unknown_canary(parts, number)

    def _unknown_canary(self, parts: Iterable[OtherPart], number: int) -> str:
        """Why nobody knows whether the canary has passed the stages before a moment; empty where it is known."""
        for part in parts:
            if not part.about:
                return f"nobody knows whether the canary passed: {NEVER_CAME.format(part.words, f'{self._patience:g}')}"
            if part.gone and part.stage < number and part.about["canary"]:
                return f"nobody knows whether the canary passed: {part.words} has it, and {part.gone}"
        return ""

    def stage_ended(self, run: Run, number: int) -> str:
        """Tell the others how a stage ended that this part has run for all; returns why that was not possible."""
        if number not in self.stages or not self.stages[number].is_once or number in run.peers.ran:
            return ""
        try:
            self._tell(run)
        except LiveError as error:
            return str(error)
        self._own_keys = {}  # the others have them before they go on
        return ""

    def leave(self, run: Run) -> str:
        """Tell the rest, and that this part has ended; returns why that was not possible."""
        if self._is_over:
            return ""
        self._is_over = True
        try:
            self._tell(run, is_over=True)
        except LiveError as error:
            return str(error)
        finally:
            self._heartbeat.end()
        return ""

    def abandon(self) -> None:
        """Say that this part has ended before it began. Raises LiveError."""
        self._is_over = True
        self._heartbeat.end()
        self._post([], 0, is_over=True)

    def _why_not(self, number: int) -> str:
        """Why a stage that needs the whole group cannot begin although the others were asked; empty where it can."""
        _version, told = self.group_keys.read(DEAD, self.place)
        if told:
            return TAKEN_FOR_DEAD.format(told["reason"])
        missing = [part.words for part in self._others if not part.about]
        if missing and not self.stages[number].is_closing:
            return NEVER_CAME.format(", ".join(missing), f"{self._patience:g}")
        return ""

    # what this part tells

    def _tell(self, run: Run, stage: int = 0, *, is_over: bool = False) -> None:
        """Tell the others what the journal has gained by this part's own hosts."""
        self._journal = self._journal or JournalReader(run.path)
        self._post(self._news(run, self._journal), stage, is_over=is_over)

    def _news(self, run: Run, journal: JournalReader) -> list[Any]:
        steps: list[Any] = []
        places: dict[tuple[str, str], None] = {}

        def add_step(record: Record) -> None:
            if COMES_FROM not in record:
                steps.append(["step", {**record, "attempts": []}])  # with their output they are of no use elsewhere

        def add_key(record: Record) -> None:
            if COMES_FROM not in record:
                places[RUN_HOST if record["scope"] == "run" else record["host"], record["key"]] = None

        journal.dispatch({"step": add_step, "delta": add_key, "merge": add_key})
        keys = [["key", host, key, _value(run, host, key)] for host, key in places if run.context.entry(key, host)]
        self._own_keys |= {key: value for _kind, host, key, value in keys if host == RUN_HOST}
        return [*keys, *steps]

    def _post(self, items: list[object], stage: int, *, is_over: bool) -> None:
        *pieces, last = _pieces(items)
        for piece in pieces:
            self.group_keys.put(NEWS, self.place, {"items": piece, "stage": 0, "over": False})
        self.group_keys.put(NEWS, self.place, {"items": last, "stage": stage, "over": is_over})

    # what the others tell

    def _wait_for_all(
        self, number: int, is_ending: Callable[[], bool], parts: Iterable[OtherPart]
    ) -> dict[int, list[News]]:
        """The news of other parts up to this stage, by their places. Raises LiveError, Stopped."""
        self._until = self._until or time.monotonic() + self._patience
        found: dict[int, list[News]] = {}
        for part in parts:
            news = found[part.place] = []
            self._wait_for(part, news, lambda part=part: part.stage >= number, is_ending)  # type: ignore[misc]
        return found

    def _wait_for(
        self, part: OtherPart, news: list[News], is_there: Callable[[], bool], is_ending: Callable[[], bool]
    ) -> None:
        """Read what a part tells until it is there, has ended, is gone, or does not come."""
        while not (is_there() or part.is_over or part.gone):
            if not self._insist(part.has_come, is_ending):
                if time.monotonic() > self._until:
                    return
                time.sleep(PAUSE)
                continue
            if told := self._insist(lambda: part.read_next(PIECE), is_ending):
                news.append(told)
            else:
                self._insist(lambda: part.look_after(self.place), is_ending)
        while part.gone and (told := self._insist(lambda: part.read_next(0), is_ending)):
            news.append(told)  # what it told last

    def _insist(self, ask: Callable[[], Any], is_ending: Callable[[], bool]) -> Any:
        """What the server answers; one that is away is waited for. Raises LiveError, Stopped."""
        until = time.monotonic() + self._patience
        while True:
            if is_ending():
                raise Stopped
            try:
                return ask()
            except Lost:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE)

    def _take(self, run: Run, number: int, news: Mapping[int, list[News]], *, is_whole: bool = True) -> None:
        """Let this run know what the others have told: their hosts, results and keys.

        `is_whole` is whether all parts take what all others have told: then the next changes are compared anew.
        """
        for part in self._others:
            if part.about:
                self._take_member(run, part)
        self._take_unclaimed(run)
        set_by: dict[str, tuple[int, Any]] = {key: (self.place, value) for key, value in self._own_keys.items()}
        for place, told in sorted(news.items()):
            for key, value in self._take_items(run, number, place, told):
                if key not in set_by or place > set_by[key][0]:  # whoever looks sees the same one as the last
                    set_by[key] = (place, value)
        self._own_keys = {} if is_whole else self._own_keys
        self._take_keys(run, number, {key: found for key, found in set_by.items() if found[0] != self.place})

    def _take_member(self, run: Run, part: OtherPart) -> None:
        plan = unpack_plan(part.about["plan"])["steps"]
        where = f"in {part.words}{f', and {part.gone}' if part.gone else ''}"
        for step, hosts in plan.items():
            known = dict.fromkeys((*run.peers.hosts.get(step, ()), *hosts))
            own = run.steps[step].hosts if step in run.steps else ()
            run.peers.hosts[step] = tuple(host for host in known if host and host not in own)
            run.peers.places.update({host: where for host in hosts if host})
        for pattern, hosts in part.about["patterns"].items():
            run.peers.patterns[pattern] = run.peers.patterns.get(pattern, frozenset()).union(hosts)

    def _take_unclaimed(self, run: Run) -> None:
        """Hosts of the inventory that no part has are missing: what needs all hosts cannot pass without them."""
        whole = run.inputs.group["info"].get("whole")
        if whole is None or not all(part.about for part in self._others):
            return
        for step, hosts in unpack_plan(whole)["steps"].items():
            known = {*run.steps[step].hosts, *run.peers.hosts.get(step, ())}
            missing = tuple(host for host in hosts if host not in known)
            run.peers.hosts[step] = (*run.peers.hosts.get(step, ()), *missing)
            run.peers.places.update(dict.fromkeys(missing, IN_NO_PART))

    def _take_items(self, run: Run, number: int, place: int, news: Iterable[News]) -> Iterator[tuple[str, Any]]:
        """Take results and keys of hosts; yields keys of the run with their values."""
        for kind, *about in (item for told in news for item in told["items"]):
            if kind == "step":
                [record] = about
                self._results.add(record)
                run.peers.records[cell_of(record)] = record
            elif about[0] == RUN_HOST:
                yield about[1], about[2]
            else:
                host, key, value = about
                run.context.fold(self._delta(run, number, place, key, value, host))
        run.peers.ended = self._results.ended

    def _take_keys(self, run: Run, number: int, keys: Mapping[str, tuple[int, object]]) -> None:
        """Write what other parts have set for the run into the journal, so that all readers of it know that."""
        changes = [
            {**self._delta(run, number, place, key, value, RUN_HOST), COMES_FROM: place}
            for key, (place, value) in keys.items()
            if run.context.entry(key) is None or _value(run, RUN_HOST, key) != value
        ]
        if changes:
            append(run.path, changes)

    def _delta(self, run: Run, number: int, place: int, key: str, value: object, host: str) -> Record:
        held = run.context.entry(key, host)
        return {
            "kind": "delta",
            "stage": number,
            "n": 0,
            "host": host,
            "step": "",
            "attempt": 1,
            "scope": "host" if host else "run",
            "key": key,
            "after": value,
            "based_on": held.version if held else 0,
            "exact": True,
            "who": f"part {place}",
            "time": now(),
        }

    # a stage that runs once for all

    def _agree_on_runner(self, run: Run, number: int, is_ending: Callable[[], bool]) -> None:
        """Have one part run the stage: the first that asks. The others wait for its results and take them."""
        key = f"stage {number}"
        if self._insist(lambda: self.group_keys.take(RUNNER, key, self.place), is_ending):
            return
        _version, place = self._insist(lambda: self.group_keys.read(RUNNER, key), is_ending)
        if place == self.place:  # the answer to the first request got lost
            return
        runner = next(part for part in self._others if part.place == place)
        steps = [step.name for step in run.steps.values() if step.stage == number and step.name not in run.left_out]
        results = run.peers.records

        def are_there() -> bool:
            return all((step, RUN_HOST) in results for step in steps)

        while not (are_there() or runner.is_over or runner.gone):
            news: list[News] = []
            self._wait_for(runner, news, lambda news=news: bool(news), is_ending)  # type: ignore[misc]
            keys = {key: (runner.place, value) for key, value in self._take_items(run, number, runner.place, news)}
            self._take_keys(run, number, keys)
        run.peers.ran[number] = runner.words
        append(run.path, [*_of_runner(run, number, steps, runner)])


def _taken(group_keys: GroupKeys, group: str, member: Member) -> int:
    """The place that this part has taken. Raises UsageError where all are taken, or other parts run something else."""
    others = []
    for place in range(1, member.parts + 1):
        if group_keys.take(MEMBER, place, member.to_value()):
            return place
        _version, other = group_keys.read(MEMBER, place)
        if (other["signature"], other["parts"]) != (member.signature, member.parts):
            raise UsageError(
                DIFFERS.format(f"part {place} of the group {group} ({other['name']} on {other['controller']}) differs")
            )
        others.append(f"{other['name']} on {other['controller']}")
    raise UsageError(FULL.format(group, member.parts, ", ".join(others)))


def _of_runner(run: Run, number: int, steps: Sequence[str], runner: OtherPart) -> Iterator[Record]:
    """The records of a stage that another part has run for all, for this part's journal."""
    for (name, host), record in run.peers.records.items():
        if host == RUN_HOST and record["stage"] == number and (name in steps or str(record.get("parent")) in steps):
            yield {**record, COMES_FROM: runner.place}
    for name in steps:
        if (name, RUN_HOST) not in run.peers.records:
            reason = (
                f"{runner.words} began it and {runner.gone or 'gave no result of it'}: no part runs it a second time"
            )
            blocks = not run.steps[name].optional
            yield {**missing_result(number, name, RUN_HOST, "error", reason, blocks=blocks), COMES_FROM: runner.place}


def _value(run: Run, host: str, key: str) -> Any:
    entry = run.context.entry(key, host)
    return json.loads(entry.text) if entry else None


def _pieces(items: list[object]) -> list[list[Any]]:
    """The items in pieces that fit into a value of the server; at least one piece."""
    pieces: list[list[Any]] = [[]]
    size = 0
    for item in items:
        length = len(json.dumps(item))
        if pieces[-1] and size + length > LARGEST:
            pieces.append([])
            size = 0
        pieces[-1].append(item)
        size += length
    return pieces
