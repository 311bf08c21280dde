# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of a run that is being written.

Read from its journal, and written by appending to it, with secrets masked.

Other processes may append to the same journal. What counts is the order of the records there: a write is known to have
succeeded once its record was folded, behind all records that came before it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST_VALUE
from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MOST, SecretNames
from rack_recipes.context.context_model import REFUSED, Delta, HostKey
from rack_recipes.context.merge_hooks import MergeHooks
from rack_recipes.context.merge_policies import DEEP_MERGE, from_record, hook_of
from rack_recipes.context.run_context import Context
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import append, append_lines
from rack_recipes.journal.reader import Handlers, JournalReader, Line
from rack_recipes.journal.record_fields import Record, encode
from rack_recipes.server.live.journal_history_index import ChangeIndex
from rack_recipes.server.live.key_operations import LOCK, UNLOCK, VALUE, WriteRequest, new_value
from rack_recipes.server.problems import Problem

GROUPS = "groups"  # the attribute of a host with the names of its groups


@dataclass(frozen=True, slots=True)
class RunOutline:
    """The hosts of a run, and those of each group, in the order of the run."""

    hosts: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def outline_of(record: Mapping[str, Any]) -> RunOutline:
    """The outline of a run by its record."""
    hosts = tuple(map(str, record.get("hosts") or ()))
    attributes = record.get("attributes") or {}
    groups: dict[str, list[str]] = {}
    for host in hosts:
        for group in attributes.get(host, {}).get(GROUPS) or ():
            groups.setdefault(str(group), []).append(host)
    return RunOutline(hosts, {name: tuple(members) for name, members in groups.items()})


class SecretValues:
    """Names that mark secrets, and the secrets that came under such names so far; only memory has these."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._names = SecretNames(patterns)
        self._known: dict[str, None] = {}
        self._mask = Mask(())

    def add(self, texts: Iterable[str]) -> None:
        """Mask these texts, too, from now on."""
        new = [text for text in texts if text and text not in self._known]
        if new:
            self._known.update(dict.fromkeys(new))
            while len(self._known) > MOST:
                del self._known[next(iter(self._known))]
            self._mask = Mask(self._known)

    def masked(self, key: str, value: object) -> Any:
        """The value as it may be kept and shown: the same object where nothing in it is secret."""
        found: list[str] = []
        shown = self._names.mask_key(key, value, found)
        self.add(found)
        return self._mask.mask_value(shown) if self._mask else shown


BOTH_WAYS = os.O_RDWR | os.O_APPEND
MOST_REQUESTS = 100_000  # ids of requests that are remembered
SOON = 0.01  # seconds of CPU time; to write and to fold what was drafted takes as long again
RequestId = tuple[str, str, str]  # host, key, and the client's id of its request


@dataclass(frozen=True, slots=True)
class Written:
    """A write that is in the journal: the change that it made, and whether an earlier request had made it already."""

    seq: int
    version: int
    text: str
    policy: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A request that was done, by its id: who sent it, a digest of what it asked for, and what came of it.

    The digest is empty where secrets came with the request: nobody may try these out.
    """

    who: str
    asked: str
    written: Written


@dataclass(frozen=True, slots=True)
class Draft:
    """What a key will hold once the records of this batch are written; `version` -1 if only the fold can tell.

    `text` is what it holds already, as JSON: few writes need to know it.
    """

    version: int
    value: Any = None
    text: str = ""

    def current(self) -> Any:
        """Its value."""
        return json.loads(self.text) if self.text else self.value


Outcome = Written | Problem | None  # None: try it again in the next batch


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that are written together: the outcome of each, and the records that some of them need."""

    outcomes: list[Outcome]
    records: list[Record] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)  # for each record the number of its request
    refused: list[int] = field(default_factory=list)  # requests that are answered by what other records will have set

    def settle(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes of all requests, with those that their records had."""
        for number, outcome in zip(self.owners, outcomes, strict=True):
            self.outcomes[number] = outcome
        if not all(isinstance(outcome, Written) for outcome in outcomes):
            for number in self.refused:  # what was in their way may not have been written
                self.outcomes[number] = None
        return self.outcomes


class LiveContext:
    """The context, the places of its changes, and the journal that both are made of.

    `is_over` is true once the run has ended: nothing is written any more. `run` has its hosts, if it has any.
    """

    def __init__(self, journal: Path, secrets: SecretValues, hooks: MergeHooks | None = None) -> None:
        self.context = Context()
        self._file = os.open(journal, BOTH_WAYS | os.O_CLOEXEC)
        self.index = ChangeIndex(journal, self._file, self.context)
        self.is_over = False
        self.run = RunOutline()
        self._secrets = secrets
        self._hooks = hooks
        self._policies = from_record(None)
        self._reader = JournalReader(journal)
        self._notes: Handlers = {
            "run": self._begin,
            "delta": self._note_stage,
            "step": self._note_stage,
            "end": self._end,
        }
        self._requests: dict[RequestId, Done] = {}
        self._places: dict[tuple[str, str], HostKey] = {}  # by the client and its id of a request
        self._stage = 0
        self.catch_up()
        self.index.sort()

    def hide(self, texts: Sequence[str]) -> None:
        """Hide these texts in what is written from now on."""
        self._secrets.add(texts)

    def close(self) -> None:
        """Close the journal."""
        os.close(self._file)

    def sync(self) -> None:
        """Bring what was written to the disk. Raises OSError."""
        os.fdatasync(self._file)

    def catch_up(self, seconds: float = math.inf) -> bool:
        """Fold what others have appended, for some seconds; returns whether that was all. Raises JournalError."""
        if os.fstat(self._file).st_size > self._reader.offset:
            until = perf_counter() + seconds
            for line in self._reader.read():
                self._fold_line(line)
                if perf_counter() >= until:
                    return False
        return True

    def commit(self, requests: Sequence[WriteRequest]) -> list[Outcome]:
        """Write what these requests ask for with one write; the outcome of each, in their order. Raises JournalError.

        A later request sees what an earlier one has written.
        """
        self.catch_up()
        batch = self.draft(requests)
        outcomes = batch.settle(self._write(batch.records))
        self._write_merges()
        return outcomes

    def draft(self, requests: Sequence[WriteRequest]) -> Batch:
        """The records that these requests need, by what is known at this moment; nothing is written.

        Large values take time. What is not drafted soon is left for another batch, and other clients come before it.
        """
        batch = Batch([None] * len(requests))
        drafts: dict[HostKey, Draft] = {}
        ids: set[tuple[str, str]] = set()
        time, until = now(), thread_time() + SOON
        for number, request in enumerate(requests):
            if number and thread_time() > until:
                break
            if request.request:
                if (request.who, request.request) in ids:
                    continue  # what becomes of the first one is not known yet
                ids.add((request.who, request.request))
            drafted = self._draft(request, drafts, time)
            if isinstance(drafted, dict):
                batch.records.append(drafted)
                batch.owners.append(number)
            else:
                batch.outcomes[number] = drafted
                batch.refused.extend([number] if (request.host, request.key) in drafts else [])
        return batch

    def take(self, lines: Sequence[bytes]) -> list[Outcome]:
        """Append records that another log keeps, fold them, and return what became of each. Raises JournalError."""
        try:
            safe = append_lines(self._file, lines)[1]
        except OSError as error:
            raise JournalError(f"{self._reader.path}: {error.strerror}") from error
        if safe < len(lines):
            raise JournalError(f"{self._reader.path}: {os.strerror(errno.ENOSPC)}")
        return [self._outcome(line.record, line.start - 1) for line in self._reader.read() if line.record]

    def _draft(self, request: WriteRequest, drafts: dict[HostKey, Draft], time: str) -> Record | Outcome:
        """The record of a request, or its outcome where there is nothing to write."""
        if request.request and (earlier := self._earlier(request)):
            return earlier
        if self.is_over:
            return Problem("not-allowed", f"run {self.context.run_id} is over", "write to a run that goes on")
        place = (request.host, request.key)
        held = drafts.get(place) or self._held(place)
        if held.version < 0 or (request.request and place in drafts):
            return None  # it may be a repeated request of this very batch
        try:
            return self._record(request, held, drafts, time)
        except Problem as problem:
            return problem

    def _earlier(self, request: WriteRequest) -> Written | Problem | None:
        """The outcome of a request whose id was used before: what came of it, or a problem if it was another one."""
        place = (request.host, request.key)
        done = self._requests.get((*place, request.request))
        if done and done.asked in ("", digest_of(request)):
            return replace(done.written, repeated=True)
        if done or self._places.get((request.who, request.request), place) != place:
            return Problem(
                "another-request",
                f"the Idempotency-Key {request.request} was sent with another request, which is done",
                "give each request a key of its own; send the same request again with the same key",
            )
        return None

    def _held(self, place: HostKey) -> Draft:
        entry = self.context.entry(place[1], place[0])
        return Draft(entry.version, text=entry.text) if entry else Draft(0)

    def _record(self, request: WriteRequest, held: Draft, drafts: dict[HostKey, Draft], time: str) -> Record:
        based_on = held.version if request.based_on is None else request.based_on
        merges = based_on < held.version and request.operation == VALUE and self._merges(request.key)
        if based_on != held.version and not merges:
            raise _conflict(request, held)
        before = None if request.operation == VALUE else held.current()
        made = new_value(request, held.version > 0, before)
        value = self._masked(request, made)
        if merges and self._policies.policy_of(request.key) == DEEP_MERGE:
            _check_together(request.key, held.text or json_text(held.value), json_text(value))
        drafts[request.host, request.key] = Draft(-1) if merges else Draft(held.version + 1, value)
        return {
            "kind": "delta",
            "stage": self._stage,
            "n": 0,
            "host": request.host,
            "step": request.step,
            "attempt": 1,
            "scope": "host" if request.host else "run",
            "key": request.key,
            "after": value,
            "based_on": based_on,
            "who": request.who,
            "time": time,
            "exact": True,
            **({} if merges else {"unless_changed": True}),
            **(self._id_fields(request, is_masked=value != made) if request.request else {}),
        }

    def _id_fields(self, request: WriteRequest, *, is_masked: bool) -> Record:
        """The fields of a record by which its request is known if it is sent again."""
        if is_masked or self._secrets.masked(request.key, request.operand) != request.operand:
            return {"request": request.request}
        return {"request": request.request, "asked": digest_of(request)}

    def _masked(self, request: WriteRequest, value: object) -> Any:
        """The value as it may be written. Raises Problem for a lock that could not be recognized any more."""
        shown = self._secrets.masked(request.key, value)
        if shown is not value and shown != value and request.operation in (LOCK, UNLOCK):
            raise Problem("bad-request", f"{request.key} or its owner has the name of a secret", "choose another name")
        return shown

    def _merges(self, key: str) -> bool:
        """Whether the policy of a key makes one value of two writes that were based on the same version."""
        policy = self._policies.policy_of(key)
        return policy == DEEP_MERGE or bool(hook_of(policy))

    def _write(self, records: list[Record]) -> list[Outcome]:
        """Append the records, and fold them behind what others have appended before them."""
        if not records:
            return []
        lines = [encode(record) for record in records]
        try:
            size, safe = append_lines(self._file, lines)
        except OSError as error:
            return [_cannot_write(error)] * len(records)
        start = os.lseek(self._file, 0, os.SEEK_CUR) - size  # where this write begins
        if start > self._reader.offset:
            for line in self._reader.read(start):
                self._fold_line(line)
        offsets = [*accumulate(map(len, lines[:safe]), initial=start)]
        written = [self._outcome(*each) for each in zip(records, offsets[:-1], strict=False)]
        self._reader.skip(safe, min(offsets[-1], start + size))  # the last newline may not have had room
        return [*written, *[_cannot_write(None)] * (len(records) - safe)]

    def _outcome(self, record: Record, offset: int) -> Outcome:
        deltas = self._fold(record, offset + 1)  # a newline stands before each record
        return _written(deltas[0]) if deltas and deltas[0].outcome != REFUSED else None

    def _fold_line(self, line: Line) -> None:
        if line.record:
            self._fold(line.record, line.start)

    def _fold(self, record: Record, offset: int) -> tuple[Delta, ...]:
        if note := self._notes.get(record["kind"]):
            note(record)
        deltas = self.context.fold(record)
        for delta in deltas:
            self.index.add(delta, offset)
            if self._hooks:
                self._hooks.add(record, delta, self.context)
            if isinstance(record.get("request"), str) and delta.outcome != REFUSED:
                done = Done(str(record.get("who", "")), str(record.get("asked", "")), _written(delta))
                self._remember((delta.host, delta.key, record["request"]), done)
        return deltas

    def _begin(self, record: Record) -> None:
        self._policies = from_record(record.get("merge"))
        self.is_over = False
        self.run = outline_of(record)

    def _note_stage(self, record: Record) -> None:
        self._stage = record["stage"]

    def _end(self, _record: Record) -> None:
        self.is_over = True

    def _remember(self, request: RequestId, done: Done) -> None:
        self._requests[request] = done
        self._places[done.who, request[2]] = request[:2]
        if len(self._requests) > MOST_REQUESTS:
            oldest = next(iter(self._requests))
            self._places.pop((self._requests.pop(oldest).who, oldest[2]), None)

    def _write_merges(self) -> None:
        """Append what merge hooks made of conflicting writes."""
        if self._hooks and (records := [*self._hooks.records(self.context)]):
            append(self._file, records)
            self.catch_up()


def digest_of(request: WriteRequest) -> str:
    """A digest of what a request asks for, beside the key. Fields of objects have no order."""
    asked = [request.operation, request.operand, request.based_on, request.step]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


def _written(delta: Delta) -> Written:
    return Written(delta.seq, delta.version, delta.after, delta.policy)


def _conflict(request: WriteRequest, held: Draft) -> Problem:
    place = f"{request.key} of {request.host or 'the run'}"
    is_at = f"is at version {held.version}" if held.version else "is not set"
    current = {"key": request.key, "host": request.host, "version": held.version, "value": held.current()}
    return Problem(
        "version-conflict",
        f"{place} {is_at}, this write is based on version {request.based_on}",
        "look at the current value, and write again based on its version; or send an operation (patch, merge, "
        "increment) without a version, which the server applies to what is there",
        {"current": current},
    )


def _check_together(key: str, held: str, more: str) -> None:
    """Raise Problem for two values that are too large together. What a merge makes of them is known when it is done."""
    if len(held) + len(more) > LARGEST_VALUE:
        raise Problem(
            "not-applicable",
            f"{key}: merged with what it holds this could be more than {LARGEST_VALUE} bytes of JSON",
            "read the key, merge the values yourself, and write the result based on the version that you have read",
        )


def _cannot_write(error: OSError | None) -> Problem:
    """The problem of a record that is not in the journal: `error` of the write, None where it was cut short."""
    if error is None or error.errno in (errno.ENOSPC, errno.EDQUOT):
        why = error.strerror if error else os.strerror(errno.ENOSPC)
        return Problem("disk-full", f"nothing was written: {why}", "free some space on the server, then send it again")
    return Problem("cannot-write", f"nothing was written: {error.strerror}", "see to the disk, then send it again")
