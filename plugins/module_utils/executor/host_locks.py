# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Named resources of a host that only so many steps may hold at once."""

from __future__ import annotations

import time
from heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Step = dict[str, Any]

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
