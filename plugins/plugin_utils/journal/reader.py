# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a journal while others write to it: finished records, each once, whatever killed writers left between them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.context_values import few
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed_journal import UNREADABLE, opened, reason
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record, TornError, decode

NAMED = 5  # damaged lines
NUMBERED = frozenset({"artifact", "delta", "step"})  # the kinds of which a repeated one is left out


def damage(journal: Path, lines: Sequence[int]) -> str:
    """For people: which lines of a journal are damaged; empty for none."""
    named = few([*map(str, lines)], NAMED)
    return f"{journal} has damaged lines, which cannot be read: {named}" if named else ""


class Line(NamedTuple):
    """One finished line: its record, or None and why it is set aside. `start` and `end` are offsets in bytes."""

    start: int
    end: int
    record: Record | None
    damage: str = ""


class JournalReader:
    """Reads on from where it stopped, also in a journal that was compressed.

    `offset`, in bytes of the plain form, is where the read part of the journal ends; the lines yielded and those left
    out lie before it. `set_aside` counts the lines that are no records. Those that a killed writer left torn are
    expected among them; `damaged` are the numbers of the others, altered or foreign, as lines of the file from 1.
    Started in the middle of a journal, a follower counts lines from there, cannot know which records were there before,
    and may repeat them.
    """

    def __init__(self, path: str | PathLike[str], offset: int = 0) -> None:
        self.path = Path(path)
        self.offset = offset
        self.set_aside = 0
        self.damaged: list[int] = []
        self._lines = 0
        self._seen: dict[tuple[str, int, str], int] = {}

    def read(self, until: int = sys.maxsize) -> Iterator[Line]:
        """The lines finished since the last call; an unfinished one at the end waits. Raises JournalError.

        No line that starts at the offset `until` or behind it is read. Empty lines are left out, and records that
        were there before (same kind, stage, host and n above 0).
        """
        try:
            with opened(self.path) as journal:
                journal.seek(self.offset)
                for line in journal:
                    if self.offset >= until or not line.endswith(b"\n"):
                        return
                    start = self.offset
                    self.offset = end = start + len(line)
                    self._lines += 1
                    if line != b"\n" and (found := self._found(start, end, line)):
                        yield found
        except UNREADABLE as error:
            raise JournalError(f"{self.path}: {reason(error)}") from error

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
        seen = self._seen.get(place, 0)  # bit n: number n was there; numbers may come late, after a damaged line
        self._seen[place] = seen | 1 << number
        return not seen >> number & 1
