# SPDX-License-Identifier: GPL-3.0-or-later

"""Which step of a stage may start next.

By what it depends on, by the verdicts so far, and by the named resources of the host that are free.
"""

from __future__ import annotations

import time
from heapq import heappop, heappush

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Record = dict[str, Any]  # of a journal, or a part of one
    Step = dict[str, Any]  # as a request has it
    Outcome = tuple[str, str]  # the verdict of a step, and its reason

NEVER = float("inf")


class HostLocks:
    """How much of each resource is free. One that was released has to settle for some seconds before it is free."""

    def __init__(self, declared: dict[str, dict[str, Any]]) -> None:
        self._free: dict[str, int] = {name: lock.get("capacity", 1) for name, lock in declared.items()}
        self._settle: dict[str, float] = {name: lock.get("settle_sec") or 0.0 for name, lock in declared.items()}
        self._settling: list[tuple[float, str]] = []

    @property
    def are_settling(self) -> bool:
        """Whether a released resource still has to settle."""
        return bool(self._settling)

    @property
    def due(self) -> float:
        """When the next resource has settled; infinity where none has to."""
        return self._settling[0][0] if self._settling else NEVER

    def missing(self, step: Step) -> str:
        """A resource that the step needs and that is not free; empty where it can take all."""
        return next((name for name in self._of(step) if self._free[name] < 1), "")

    def acquire(self, step: Step) -> None:
        """Take one of each resource that the step needs."""
        for name in self._of(step):
            self._free[name] -= 1

    def release(self, step: Step) -> None:
        """Release what the step holds: it has ended."""
        for name in self._of(step):
            heappush(self._settling, (time.monotonic() + self._settle[name], name))

    def freed(self) -> Iterator[str]:
        """The resources that have settled by now, each once for every one that is free again."""
        moment = time.monotonic()
        while self.due <= moment:
            name = heappop(self._settling)[1]
            self._free[name] += 1
            yield name

    def _of(self, step: Step) -> list[str]:
        """The resources of this host. Locks of the whole run are held by the controller."""
        return [name for name in step.get("locks") or () if name in self._free]


def lets_start(step: Mapping[str, object], verdict: str, *, is_check: bool = False) -> bool:
    """Whether the steps that depend on a step with this verdict may start. In check mode nothing blocks."""
    return verdict in PASSING or bool(step.get("continue_on_fail")) or is_check


class StartConditions:
    """The verdicts so far, the time that is left, and whether anything may start at all."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._blocking: dict[str, str] = {n: v for n, v in request["settled"].items() if v not in PASSING}
        self._host: str = request["host"]
        self._halted: str = request.get("halted") or ""
        self._fails_fast = bool(request.get("fail_fast"))
        self._box: float = request.get("time_box") or 0
        self._priority: int = request.get("priority") or 0
        left = request.get("time_left")
        self._until = None if left is None else request.get("arrived", time.monotonic()) + left
        self._is_check = bool(request.get("check"))

    def blocked(self, step: Step) -> Outcome | None:
        """The verdict and the reason of a step that can never start."""
        if step.get("skip"):
            return "skipped", step["skip"]
        if self._blocking and not step.get("always"):
            for name in step["depends_on"]:
                if name in self._blocking:
                    return "blocked", f"{name} did not pass ({self._blocking[name]})"
        return None

    def closed(self, step: Step) -> Outcome | None:
        """The verdict and the reason of a step that may not start any more."""
        if step.get("always"):
            return None
        if self._halted:
            return "blocked", self._halted
        gives_way = not self._priority or step.get("priority", 0) < self._priority  # to more important ones
        if self._until is not None and time.monotonic() >= self._until and gives_way:
            return "skipped", f"the time box of {self._box:g} s is over"
        return None

    def end(self, step: Step, verdict: str, *, passes_dependents: bool = False) -> bool:
        """A step has its verdict; whether it blocks what depends on it."""
        if passes_dependents or lets_start(step, verdict, is_check=self._is_check):
            return False
        if self._fails_fast and verdict in ("failed", "error") and not self._halted:
            self._halted = f"fail_fast: {step['name']} did not pass on {self._host or 'the controller'}"
        if "parent" not in step:
            self._blocking[step["name"]] = verdict
        return True


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
