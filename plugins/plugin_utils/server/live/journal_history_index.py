# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where each change of a run's context is in its journal, so that history can be told without keeping it in memory.

A change costs 24 bytes here. What a merge policy made of two writes is not in the journal, so those changes are kept.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.context.context_model import REFUSED, Delta
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed_journal import opened
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record, decode

Place = tuple[str, str]  # host, empty for the run, and key
Row = dict[str, Any]

COPIED = ("time", "step", "attempt", "who", "based_on")  # fields of a row that are those of the record


class ChangesOfKey:
    """The numbers of the changes of one key, and the version that each made."""

    __slots__ = ("seqs", "versions")

    def __init__(self) -> None:
        self.seqs = array("Q")
        self.versions = array("Q")


class ChangeIndex:
    """The changes of a run, by their number from 1."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._offsets = array("Q")
        self._places: dict[Place, ChangesOfKey] = {}
        self._kept: dict[int, Delta] = {}

    @property
    def last(self) -> int:
        """The number of the last change; 0 before the first."""
        return len(self._offsets)

    def add(self, delta: Delta, offset: int) -> None:
        """Add the next change, whose record is at this offset of the journal."""
        self._offsets.append(offset)
        if delta.conflict:
            self._kept[delta.seq] = delta
        if delta.outcome != REFUSED:
            changes = self._places.setdefault((delta.host, delta.key), ChangesOfKey())
            changes.seqs.append(delta.seq)
            changes.versions.append(delta.version)

    def history(self, place: Place, before: int, limit: int) -> list[Row]:
        """The last `limit` changes of a key with numbers below `before`, in their order."""
        changes = self._places.get(place)
        if changes is None:
            return []
        end = bisect_left(changes.seqs, before)
        return [*self._rows(place, changes, range(max(0, end - limit), end))]

    def state(self, at: int) -> list[Row]:
        """Each key with the `value`, the version and the number of its last change up to `at`, sorted by key."""
        found = []
        for place, changes in sorted(self._places.items(), key=lambda item: item[0][::-1]):
            number = bisect_right(changes.seqs, at) - 1
            if number >= 0:
                found.append(self._state_row(place, changes, number))
        return found

    def value_at(self, place: Place, at: int) -> Row | None:
        """The same of one key; None where it was not set by then."""
        changes = self._places.get(place)
        number = bisect_right(changes.seqs, at) - 1 if changes else -1
        return self._state_row(place, changes, number) if changes and number >= 0 else None

    def changes_after(self, seq: int, limit: int) -> Iterator[Row]:
        """At most `limit` changes with higher numbers, in their order; refused writes are left out."""
        for number in range(seq + 1, min(self.last, seq + limit) + 1):
            place = self._place(number)
            changes = self._places.get(place)
            if changes is None:
                continue
            at = bisect_left(changes.seqs, number)
            if at < len(changes.seqs) and changes.seqs[at] == number:
                yield from self._rows(place, changes, range(at, at + 1))

    def _place(self, seq: int) -> Place:
        kept = self._kept.get(seq)
        if kept:
            return kept.host, kept.key
        record = self._record(seq)
        return ("" if record["scope"] == "run" else record["host"], record["key"])

    def _rows(self, place: Place, changes: ChangesOfKey, numbers: range) -> Iterator[Row]:
        for number in numbers:
            seq = changes.seqs[number]
            record, kept = self._record(seq), self._kept.get(seq)
            row: Row = {"seq": seq, "key": place[1], "host": place[0], "version": changes.versions[number]}
            row |= {name: record.get(name) for name in COPIED}
            row["before"] = self._after(changes.seqs[number - 1]) if number else None
            row["after"] = self._after(seq)
            if kept:
                row |= {"policy": kept.policy, "outcome": kept.outcome}
            yield row

    def _state_row(self, place: Place, changes: ChangesOfKey, number: int) -> Row:
        seq = changes.seqs[number]
        head = {"key": place[1], "host": place[0], "version": changes.versions[number], "seq": seq}
        return {**head, "value": self._after(seq)}

    def _after(self, seq: int) -> Any:
        kept = self._kept.get(seq)
        return json.loads(kept.after) if kept else self._record(seq)["after"]

    def _record(self, seq: int) -> Record:
        with opened(self._journal) as journal:
            journal.seek(self._offsets[seq - 1])
            line = journal.readline()
        try:
            return decode(line)
        except JournalError as error:
            raise JournalError(f"{self._journal}: change {seq} was altered since it was read: {error}") from error
