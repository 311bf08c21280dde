# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The places of a context in their order, for those who go through all of them while new ones come."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator

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
