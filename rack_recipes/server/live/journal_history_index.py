# SPDX-License-Identifier: GPL-3.0-or-later

"""Where each change of a run's context is in its journal, so that history can be told without keeping it in memory.

And the places of the context in their order.

A change costs 16 bytes here. What a merge policy made of two writes is not in the journal, so those changes are kept.
The context after any change can be read bit by bit while others write: it costs nothing to keep it.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rack_recipes.context.context_model import REFUSED, Delta, HostKey
from rack_recipes.context.run_context import Context
from rack_recipes.errors import JournalError
from rack_recipes.journal.record_fields import Record, decode, json_text

CHUNK = 512  # places that are kept in one list; a list with twice as many is divided
Spot = tuple[str, str]  # a key and its host (empty for the run), in which order they are sorted


class SortedPlaces:
    """Spots in lists of limited size, so that a new one is put into its place at once, however many there are."""

    __slots__ = ("_chunks", "_firsts")

    def __init__(self, spots: Iterable[Spot]) -> None:
        ordered = sorted(spots)
        self._chunks = [ordered[at : at + CHUNK] for at in range(0, max(len(ordered), 1), CHUNK)]
        self._firsts = [("", ""), *(chunk[0] for chunk in self._chunks[1:])]  # where each list begins

    def add(self, spot: Spot) -> None:
        """Add one that is not there."""
        at = bisect_right(self._firsts, spot) - 1
        chunk = self._chunks[at]
        insort(chunk, spot)
        if len(chunk) > 2 * CHUNK:
            self._chunks.insert(at + 1, chunk[CHUNK:])
            self._firsts.insert(at + 1, chunk[CHUNK])
            del chunk[CHUNK:]

    def beginning_with(self, text: str) -> Iterator[Spot]:
        """All whose key begins with a text. Those that are added meanwhile come, too, if it is their turn."""
        found = self._next((text,))  # which stands before all that have a host
        while found:
            for spot in found:
                if not spot[0].startswith(text):
                    return
                yield spot
            found = self._next(found[-1])

    def around(self, spot: Spot, number: int) -> list[Spot]:
        """At most so many before a spot, and as many behind it."""
        at = bisect_right(self._firsts, spot) - 1
        near = [each for chunk in self._chunks[max(at - 1, 0) : at + 2] for each in chunk]
        place = bisect_right(near, spot)
        return near[max(place - number, 0) : place + number]

    def _next(self, spot: tuple[str, ...]) -> list[Spot]:
        """The next few behind a spot, which need not be there; none behind the last."""
        at = max(bisect_right(self._firsts, spot) - 1, 0)
        chunk = self._chunks[at]
        rest = chunk[bisect_right(chunk, spot) :]
        return rest or (self._chunks[at + 1][:] if at + 1 < len(self._chunks) else [])


Row = dict[str, Any]
COPIED = ("time", "step", "attempt", "who", "based_on")  # fields of a row that are those of the record
LINE = 4096  # bytes that are read at first: most lines have fewer
NEAR = 50  # places that are near another one, on either side


class StateOfKey(NamedTuple):
    """What a key held after some change: the number of its own last change by then, its version and its JSON text."""

    key: str
    host: str
    version: int
    seq: int
    text: str


class Change(NamedTuple):
    """A change of a key: what its row says, and the JSON text of the value that it made."""

    about: Row
    after: str


Sides = tuple[StateOfKey | None, StateOfKey | None]


class ChangeIndex:
    """The changes of a run, by their number from 1.

    `file` is its journal, open for reading, and `context` has what the changes so far have made.
    """

    def __init__(self, journal: Path, file: int, context: Context) -> None:
        self._journal = journal
        self._file = file
        self._context = context
        self._offsets = array("Q")
        self._places: dict[Spot, array[int]] = {}  # the numbers of its changes: the first one made version 1
        self._sorted: SortedPlaces | None = None
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
            spot = (delta.key, delta.host)
            changes = self._places.get(spot)
            if changes is None:
                changes = self._places[spot] = array("Q")
                if self._sorted:
                    self._sorted.add(spot)
            changes.append(delta.seq)

    def sort(self) -> None:
        """Sort what the journal has so far, which is quicker than to put each key into its place."""
        self._sorted = SortedPlaces(self._places)

    def hosts_of(self, key: str) -> Iterator[str]:
        """The hosts that have set a key, sorted; the first one is empty if it is set for the run."""
        for found, host in self._beginning_with(key):
            if found != key:
                return
            yield host

    def keys_near(self, key: str) -> list[str]:
        """Keys that stand near a key if all are sorted."""
        near = self._sorted.around((key, ""), NEAR) if self._sorted else []
        return [*dict.fromkeys(found for found, _host in near)]

    def number_of_changes(self, place: HostKey, before: int) -> int:
        """How many changes of a key have numbers below `before`."""
        return bisect_left(self._places.get(place[::-1], ()), before)

    def history(self, place: HostKey, before: int, limit: int) -> Iterator[tuple[str, Change]]:
        """The last `limit` changes of a key with numbers below `before`, each behind the JSON text that it replaced."""
        changes = self._places.get(place[::-1], array("Q"))
        end = self.number_of_changes(place, before)
        start = max(0, end - limit)
        text = self._text(place[::-1], changes, start - 1) if start and end > start else "null"
        for number in range(start, end):
            change = self._change(place[::-1], changes[number], number + 1)
            yield text, change
            text = change.after

    def state(self, at: int, wanted: Callable[[str, str], bool], prefix: str = "") -> Iterator[StateOfKey | None]:
        """Each key and host that is `wanted`, sorted, as it was after change `at`; None for one that is passed over.

        Only keys that begin with `prefix` are looked at.
        """
        for spot in self._beginning_with(prefix):
            changes = self._places[spot]
            if wanted(*spot):
                yield self._state_of(spot, changes, bisect_right(changes, at) - 1)
            else:
                yield None

    def value_at(self, place: HostKey, at: int) -> StateOfKey | None:
        """The same of one key; None where it was not set by then."""
        changes = self._places.get(place[::-1], array("Q"))
        return self._state_of(place[::-1], changes, bisect_right(changes, at) - 1)

    def changed(self, first: int, second: int, wanted: Callable[[str], bool]) -> Iterator[Sides | None]:
        """Each key that is `wanted` and was set between two changes, as it was after either; None for any other."""
        for spot in self._beginning_with(""):
            changes = self._places[spot]
            one, other = (bisect_right(changes, at) - 1 for at in (first, second))
            if one != other and wanted(spot[0]):
                yield self._state_of(spot, changes, one), self._state_of(spot, changes, other)
            else:
                yield None

    def change(self, seq: int) -> Change | None:
        """The change with this number; None for a write that was refused."""
        record, kept = self._record(seq), self._kept.get(seq)
        host = kept.host if kept else "" if record["scope"] == "run" else record["host"]
        key = kept.key if kept else record["key"]
        changes = self._places.get((key, host), array("Q"))
        at = bisect_left(changes, seq)
        is_there = at < len(changes) and changes[at] == seq
        return self._change((key, host), seq, at + 1, record) if is_there else None

    def _beginning_with(self, text: str) -> Iterator[Spot]:
        return self._sorted.beginning_with(text) if self._sorted else iter(())

    def _change(self, spot: Spot, seq: int, version: int, read: Record | None = None) -> Change:
        record, kept = read or self._record(seq), self._kept.get(seq)
        about: Row = {"seq": seq, "key": spot[0], "host": spot[1], "version": version}
        about |= {name: record.get(name) for name in COPIED}
        if kept:
            about |= {"policy": kept.policy, "outcome": kept.outcome}
        return Change(about, kept.after if kept else json_text(record["after"]))

    def _state_of(self, spot: Spot, changes: array[int], number: int) -> StateOfKey | None:
        if number < 0:
            return None
        return StateOfKey(*spot, number + 1, changes[number], self._text(spot, changes, number))

    def _text(self, spot: Spot, changes: array[int], number: int) -> str:
        """The JSON text that a change of a key has made."""
        held = self._context.entry(*spot) if number == len(changes) - 1 else None
        if held:
            return held.text
        kept = self._kept.get(changes[number])
        return kept.after if kept else json_text(self._record(changes[number])["after"])

    def _record(self, seq: int) -> Record:
        try:
            return decode(self._line(self._offsets[seq - 1]))
        except OSError as error:
            raise JournalError(f"{self._journal}: {error.strerror}") from error
        except JournalError as error:
            raise JournalError(f"{self._journal}: change {seq} was altered since it was read: {error}") from error

    def _line(self, offset: int) -> bytes:
        line = b""
        while part := os.pread(self._file, max(len(line), LINE), offset + len(line)):
            line += part
            if b"\n" in part:
                break
        return line.partition(b"\n")[0]
