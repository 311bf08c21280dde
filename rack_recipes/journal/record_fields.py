# SPDX-License-Identifier: GPL-3.0-or-later

"""Which fields a record of a run's journal must have, and how it is written and read.

Also the lines that --debug shows of a log record.

A line has the same form as in the journals on the hosts (`module_utils/journal_record.py`).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json import JSONDecoder
from math import isinf
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn, NotRequired, Self, TypedDict, get_type_hints
from zlib import crc32

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import (
    REST,
    json_text,
    with_checksum,
    without_checksum,
)
from rack_recipes.errors import JournalError

__all__ = ["FIELDS", "Record", "TornError", "decode", "encode", "json_text"]
Record = dict[str, Any]


class RunRecord(TypedDict):
    """A run begins, or goes on after an earlier end. `begin_run` says what else it has."""

    kind: str
    run: str
    time: str


@dataclass(frozen=True, slots=True)
class RunStep:
    """A step of a run, as its `run` record has it.

    `hosts` are those of this run that the step is for; there may be none. A step between hosts has `members` in place
    of these. `optional` is whether its failure blocks
    nothing. Only the run itself knows `elsewhere`, the keys that the step reads of other hosts, `always`, whether it
    closes the run, and `expires_sec`, for how many seconds results under its `cache_key` are reused, None for ever.
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
    members: tuple[str, ...] = ()
    always: bool = False

    @property
    def places(self) -> tuple[str, ...]:
        """The hosts on which it runs something."""
        return self.members or self.hosts

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """A step by its entry in a record, which may have its name alone where it comes from elsewhere."""
        stage, hosts = data.get("stage", 0), tuple(data.get("hosts", ()))
        members = tuple(data.get("members", ()))
        return cls(data["name"], stage, data.get("idx", 0), data.get("scope", "host"), hosts, members=members)

    def to_record(self) -> dict[str, Any]:
        """The entry of the step in a record."""
        more = {name: value for name in ("cache_key", "optional") if (value := getattr(self, name))}
        about = {name: getattr(self, name) for name in ("name", "stage", "idx", "scope")}
        return {**about, "hosts": list(self.hosts), **({"members": [*self.members]} if self.members else {}), **more}


class _OfStage(TypedDict):
    kind: str
    stage: int
    host: str


class _OfStep(_OfStage):
    step: str


class StepRecord(_OfStep):
    """How a step, or an instance of a looped step, has ended on a host."""

    n: int
    verdict: str
    reason: NotRequired[str]
    blocks: NotRequired[bool]
    checks: NotRequired[int]
    instances: NotRequired[int]
    parent: NotRequired[str]
    final: NotRequired[bool]
    through: NotRequired[str]


class _Change(_OfStep):
    attempt: int
    scope: str
    key: str
    after: Any
    based_on: int
    who: str
    time: str


class DeltaRecord(_Change):
    """One write of a key of the context."""

    n: int
    exact: NotRequired[bool]
    unless_changed: NotRequired[bool]


class MergeRecord(_Change):
    """What a merge hook has made of two writes."""

    theirs: Any


class ArtifactRecord(_OfStep):
    """A file that a step has attached."""

    n: int
    attempt: int
    name: str
    sha256: str
    size: int
    time: str


class TransferRecord(_OfStage):
    """That a file has come into the run's folder, or why it has not."""

    sha256: str
    path: NotRequired[str | None]
    note: str
    time: str


class ClockRecord(_OfStage):
    """By how many seconds the clock of a host is ahead."""

    offset: float
    time: str


class EndRecord(TypedDict):
    """The end of a run."""

    kind: str
    time: str
    status: str
    exit_code: NotRequired[int]
    counts: NotRequired[dict[str, int]]


class WarningRecord(TypedDict, total=False):
    """What people should know of the run as a whole."""

    kind: str
    time: str
    text: str
    stopped_by: str


def _required(kind: Any) -> dict[str, type]:
    fields = ((name, kind_of) for name, kind_of in get_type_hints(kind).items() if name in kind.__required_keys__)
    return {name: object if kind_of is Any else kind_of for name, kind_of in fields if name != "kind"}


# The fields that a record of each kind must have. A record may have more fields, and there may be more kinds.
FIELDS: Mapping[str, Mapping[str, type]] = {
    "run": _required(RunRecord),
    "delta": _required(DeltaRecord),
    "step": _required(StepRecord),
    "artifact": _required(ArtifactRecord),
    "transfer": _required(TransferRecord),
    "merge": _required(MergeRecord),
    "clock": _required(ClockRecord),
    "end": _required(EndRecord),
}
BLAMED = "blamed"  # among the figures of a finding: the hosts that a search between hosts says are to blame
_NUMBERED_AT_MOST = 2**24  # a reader remembers one bit for each number
_HEAD = re.compile(rb'\{"_":"([0-9a-f]{8})([0-9a-f]{8})",')
_EMPTY = b'{"_":"0000000000000000",'


class TornError(JournalError):
    """Only the beginning of a record is there, because its writer was killed."""


def encode(record: Record) -> bytes:
    """The record as bytes, with a newline before and after it. Raises JournalError for what is not a record."""
    if not _well_formed(record):
        raise JournalError(f"not a record for a journal: {_fault(record)}")
    try:
        return with_checksum(json_text(record))
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(f"a {record['kind']} record that is not JSON: {error}") from error


def decode(line: bytes) -> Record:
    """The record on one line, with or without newlines at its ends.

    Raises JournalError with what is wrong with the line, and TornError for the beginning of a record.
    """
    line = line.strip(b"\n")
    content = without_checksum(line)
    if content is None:
        raise _damage(line)
    try:
        text = content.decode()
        record, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise JournalError(f"not JSON: {error}") from error
    if end != len(text) or not _well_formed(record):
        raise JournalError(_fault(record))
    return record  # type: ignore[no-any-return]  # an object: its text starts with a brace


def _finite(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError(f"{text} does not fit a number")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_decoder = JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def _damage(line: bytes) -> JournalError:
    head = _HEAD.match(line + _EMPTY[len(line) :])
    if head is None:
        return JournalError("not a record of a journal")
    if len(line) < REST or _is_short(line[REST:], *(int(number, 16) for number in head.groups())):
        return TornError("torn: shorter than its length says")
    return JournalError("altered: length or checksum differ")


def _is_short(rest: bytes, length: int, checksum: int) -> bool:
    """Whether the end is missing. A line that is complete JSON in spite of a wrong length was altered instead."""
    return len(rest) < length and crc32(rest) != checksum and not _is_whole(rest)


def _is_whole(rest: bytes) -> bool:
    try:
        json.loads(b"{" + rest)
    except (ValueError, RecursionError):
        return False
    return True


# For each kind its fields' values and their types, so that the check of a sound record runs in C.
_SHAPES: Mapping[str, tuple[Callable[[Record], tuple[Any, ...]], tuple[type, ...]]] = {
    kind: (itemgetter(*fields), tuple(fields.values())) for kind, fields in FIELDS.items()
}
_FOREIGN = (itemgetter("kind", "kind"), (str, str))


def _well_formed(record: Record) -> bool:
    try:
        values, types = _SHAPES.get(record["kind"], _FOREIGN)
        return all(map(isinstance, values(record), types)) and 0 <= record.get("n", 0) <= _NUMBERED_AT_MOST
    except (KeyError, TypeError):
        return False


def _fault(record: Record) -> str:
    kind = record.get("kind")
    if not isinstance(kind, str):
        return "a record without a kind"
    for field, expected in FIELDS.get(kind, {}).items():
        if not isinstance(record.get(field, ...), expected) or field not in record:
            return f"a {kind} record without {field!r} as {expected.__name__}"
    return f"a {kind} record with n={record.get('n')!r}"


class LoggedLine(NamedTuple):
    """A line that a scriptlet has logged: its level, the logger and the text."""

    level: str
    by: str
    text: str


LOGGED = ("WARNING", "ERROR", "CRITICAL")  # the levels that a run without a log shows
LOGGED_LINE = re.compile(rf"^\d{{4}}-\S+Z ({'|'.join(LOGGED)}) (\S+) \[[^\]]*\] (.*)$", re.MULTILINE)


def logged_lines(stderr: str) -> list[LoggedLine]:
    """What a step's stderr has of a scriptlet's own log: warnings and worse."""
    return [LoggedLine(*found) for found in LOGGED_LINE.findall(stderr)]


def log_record_lines(record: Mapping[str, object], run: str) -> list[str]:
    """A log record as lines, each with its time, run, step, host and event."""
    head = f"{str(record['time'])[11:23]} {run} {record['step']}@{record['host'] or 'run'} {record['event']}"
    return [f"{head}: {line}" for line in str(record["text"]).splitlines() or [""]]
