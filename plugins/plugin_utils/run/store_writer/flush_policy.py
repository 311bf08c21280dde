# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the follower flushes unasked: at an interval, once many deltas wait, and less and less often in vain."""

from __future__ import annotations

import time
from pathlib import Path

LOOK = 0.5  # seconds between two looks at how much the journal has grown
SELDOM = 30.0  # seconds between two flushes into a store that is away, unless the interval is longer
DELTA = b'"kind":"delta"'


class FlushPolicy:
    """Flush every `interval` seconds, and as soon as `deltas` changes of the context wait.

    A store that is away is tried at intervals that double, up to `SELDOM`: each attempt takes time from the stages.
    """

    def __init__(self, journal: str, interval: float, deltas: int) -> None:
        self._interval = interval
        self._most = deltas
        self._waiting = Deltas(journal)
        self._pause = interval
        self._is_well = True
        self._due = time.monotonic() + interval

    def pause(self) -> float:
        """The seconds after which to ask again whether a flush is due."""
        return max(0.0, min(self._due - time.monotonic(), LOOK))

    def is_due(self) -> bool:
        """Whether to flush now."""
        return time.monotonic() >= self._due or (self._is_well and self._waiting.count() >= self._most)

    def flushed(self, *, well: bool) -> None:
        """The store is up to date, or would not take what there is."""
        self._is_well = well
        self._pause = self._interval if well else max(self._interval, min(self._pause * 2, SELDOM))
        self._due = time.monotonic() + self._pause
        self._waiting.forget()


class Deltas:
    """How many deltas a journal gained: a look at its new lines alone, far cheaper than to read them."""

    def __init__(self, journal: str) -> None:
        self._journal = Path(journal)
        self._offset = 0
        self._count = 0

    def count(self) -> int:
        """Those since the last `forget`."""
        if self._size() > self._offset:
            with self._journal.open("rb") as lines:
                lines.seek(self._offset)
                for line in lines:
                    if not line.endswith(b"\n"):  # still being written
                        break
                    self._offset += len(line)
                    self._count += DELTA in line
        return self._count

    def forget(self) -> None:
        """They are stored; of what was written meanwhile some may go uncounted, and wait for the interval."""
        self._offset, self._count = self._size(), 0

    def _size(self) -> int:
        try:
            return self._journal.stat().st_size
        except FileNotFoundError:
            return 0
