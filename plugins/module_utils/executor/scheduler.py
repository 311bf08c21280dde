# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which step of a stage may start next; asking costs the same however many wait."""

from __future__ import annotations

from heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Step = dict[str, Any]

APART = 1 << 20  # between the places of two steps, for the instances of the first


class Scheduler:
    """The steps of a stage that have not started, in the order of the plan.

    A step waits for those of the stage that it depends on, or has to come after. One that is not parallel runs alone,
    so whatever stands behind it in the plan waits until it has started.
    """

    def __init__(self, steps: list[Step]) -> None:
        self.waiting: dict[int, Step] = {at * APART: step for at, step in enumerate(steps)}
        self._places = {step["name"]: place for place, step in self.waiting.items()}
        self._followers: dict[int, list[int]] = {}
        self._open = {place: self._enter(place, step) for place, step in self.waiting.items()}
        self._ready = [place for place, needs in self._open.items() if not needs]  # sorted, so it is a heap
        self._alone = [place for place, step in self.waiting.items() if not step["parallel"]][::-1]
        self._parked: dict[str, list[int]] = {}

    def _enter(self, place: int, step: Step) -> int:
        """How many steps of this stage have to end before this one starts."""
        needs = {self._places[name] for name in (*step["depends_on"], *step["after"]) if name in self._places}
        for need in needs:
            self._followers.setdefault(need, []).append(place)
        return len(needs)

    def next(self) -> Step | None:
        """The first step that waits for nothing, or None while one that runs alone stands before it."""
        if not self._ready or (self._alone and self._ready[0] > self._alone[-1]):
            return None
        return self.waiting[self._ready[0]]

    def pop(self) -> Step:
        """Remove and return the step that `next` returns: it starts, or has its verdict."""
        place = heappop(self._ready)
        if self._alone and self._alone[-1] == place:
            self._alone.pop()
        return self.waiting.pop(place)

    def expand(self, step: Step, instances: list[Step]) -> None:
        """Put the instances of the step that was popped in its place. The step itself ends after them."""
        first = self._places[step["name"]] + 1
        places = range(first, first + len(instances))
        self.waiting.update(zip(places, instances))
        for place in places:
            heappush(self._ready, place)
        if not step["parallel"]:
            self._alone += reversed(places)

    def park(self, resource: str) -> None:
        """Set the step that `next` returns aside until there is more of a resource; steps behind it may start first."""
        self._parked.setdefault(resource, []).append(heappop(self._ready))

    def unpark(self, resource: str) -> None:
        """Let the steps start that were set aside for a resource."""
        for place in self._parked.pop(resource, ()):
            if place in self.waiting:
                heappush(self._ready, place)

    def end(self, name: str) -> None:
        """A step of the stage has got its verdict."""
        for follower in self._followers.get(self._places[name], ()):
            self._open[follower] -= 1
            if not self._open[follower] and follower in self.waiting:
                heappush(self._ready, follower)

    def drop(self) -> list[Step]:
        """All that wait, which will not be asked for any more."""
        dropped = list(self.waiting.values())
        self.waiting.clear()
        self._ready.clear()
        self._parked.clear()
        return dropped
