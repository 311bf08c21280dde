# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a journal while others write to it: each finished record once, without what killed writers left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import without_checksum
from rack_recipes.errors import JournalError
from rack_recipes.journal.compressed_journal import UNREADABLE, open_journal, unreadable_reason
from rack_recipes.journal.record_fields import Record, TornError, decode

NAMED = 5  # damaged lines
NUMBERED = frozenset(("artifact", "delta", "step"))  # the kinds whose records have numbers; a repeated one is left out
Handlers = Mapping[str, Callable[[Any], object]]  # by the kind of a record, what is done with it


def describe_damage(journal: Path, lines: Sequence[int]) -> str:
    """A sentence that names the damaged lines of a journal; empty if there are none."""
    named = first_few([*map(str, lines)], NAMED)
    return f"{journal} has damaged lines, which cannot be read: {named}" if named else ""


def has_ended(journal: str | PathLike[str]) -> bool:
    """Whether the last that it says of its run is the end: a context goes on behind its end when it is served again."""
    return [record["kind"] for record in JournalReader(journal).records("run", "end")][-1:] == ["end"]


class Line(NamedTuple):
    """One finished line: its record, or None and the reason why it has none. `start` and `end` are offsets in bytes."""

    start: int
    end: int
    record: Record | None
    damage: str = ""


class JournalReader:
    """Reads a journal; each call goes on where the last one stopped, even if the journal was compressed meanwhile.

    `offset` is where the part that was read ends, in bytes of the plain file, `start` where its last line begins.
    `set_aside` counts the lines without a record. Some of these are torn, since a writer was killed; that is normal.
    `damaged` has the numbers of the other ones, which were altered or come from elsewhere, counted from 1. A reader
    that starts in the middle of a journal counts lines from there, and may repeat records that were there before.
    """

    def __init__(self, path: str | PathLike[str], offset: int = 0) -> None:
        self.path = Path(path)
        self.offset = self.start = offset
        self.set_aside = 0
        self.damaged: list[int] = []
        self._lines = 0
        self._seen: dict[tuple[str, int, str], int] = {}

    def read(self, until: int = sys.maxsize) -> Iterator[Line]:
        """The lines that were finished since the last call. Raises JournalError where the file cannot be read.

        An unfinished line at the end is left for the next call, unless only its newline is missing. Lines that start at
        the offset `until` or later are not read. Empty lines are left out, and so are repeated records (same kind,
        stage, host and the same n above 0).
        """
        try:
            with open_journal(self.path) as journal:
                journal.seek(self.offset)
                for line in journal:
                    is_ended = line.endswith(b"\n")
                    if self.offset >= until or not (is_ended or without_checksum(line)):
                        return
                    self.start = start = self.offset
                    self.offset = end = start + len(line)
                    self._lines += is_ended
                    if line != b"\n" and (found := self._found(start, end, line)):
                        yield found
        except UNREADABLE as error:
            raise JournalError(f"{self.path}: {unreadable_reason(error)}") from error

    def records(self, *kinds: str) -> Iterator[Record]:
        """The records of the lines that `read` returns: those of these kinds, without any all of them."""
        for line in self.read():
            if line.record is not None and (not kinds or line.record["kind"] in kinds):
                yield line.record

    def dispatch(self, handlers: Handlers) -> None:
        """Call with each of these records the function of its kind. A kind without a function is passed over."""
        for line in self.read():
            if line.record is not None and (handle := handlers.get(line.record["kind"])):
                handle(line.record)

    def skip(self, records: int, end: int) -> None:
        """Pass over records that the caller has appended itself, right behind what was read; the last ends at `end`."""
        self._lines += 2 * records  # an empty line stands before each
        self.offset = end

    def _found(self, start: int, end: int, line: bytes) -> Line | None:
        try:
            record = decode(line)
        except JournalError as error:
            self.set_aside += 1
            if not isinstance(error, TornError):
                self.damaged.append(self._lines)
            return Line(start, end, None, str(error))
        return Line(start, end, record) if self._is_new(record) else None

    def _is_new(self, record: Record) -> bool:
        number = record["n"] if record["kind"] in NUMBERED else 0
        if not number:
            return True
        place = (record["kind"], record["stage"], record["host"])
        seen = self._seen.get(place, 0)  # bit n: number n was read; numbers may come out of order, after a damaged line
        self._seen[place] = seen | 1 << number
        return not seen >> number & 1
