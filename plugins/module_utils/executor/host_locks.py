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
    """Who holds how much of what; a resource that was given back still has to settle before it is free."""

    def __init__(self, declared: dict[str, dict[str, Any]]) -> None:
        self._free: dict[str, int] = {name: lock.get("capacity", 1) for name, lock in declared.items()}
        self._settle: dict[str, float] = {name: lock.get("settle_sec") or 0.0 for name, lock in declared.items()}
        self._settling: list[tuple[float, str]] = []

    @property
    def are_settling(self) -> bool:
        """Whether there will be more of a resource, without anybody's doing."""
        return bool(self._settling)

    @property
    def due(self) -> float:
        """When the next resource has settled; infinity where none has to."""
        return self._settling[0][0] if self._settling else NEVER

    def missing(self, step: Step) -> str:
        """A resource that the step needs and that is not free; empty where it can take all."""
        return next((name for name in self._of(step) if self._free[name] < 1), "")

    def take(self, step: Step) -> None:
        """The step holds what it needs."""
        for name in self._of(step):
            self._free[name] -= 1

    def give_back(self, step: Step) -> None:
        """The step has ended."""
        for name in self._of(step):
            heappush(self._settling, (time.monotonic() + self._settle[name], name))

    def settled(self) -> Iterator[str]:
        """Each resource of which there is more by now."""
        moment = time.monotonic()
        while self.due <= moment:
            name = heappop(self._settling)[1]
            self._free[name] += 1
            yield name

    def _of(self, step: Step) -> list[str]:
        """Others are held by whoever asks this host."""
        return [name for name in step.get("locks") or () if name in self._free]
