# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the store writer flushes unasked."""

from __future__ import annotations

import time
from pathlib import Path

LOOK = 0.5  # seconds between two looks at how much the journal has grown
LONGEST_PAUSE = 30.0  # seconds between two flushes into a store that is away, unless the interval is longer
DELTA = b'"kind":"delta"'


class FlushPolicy:
    """Flush every `interval` seconds, and as soon as `deltas` changes of the context wait in the journal.

    After a failure the pause between two flushes doubles, up to `LONGEST_PAUSE`: each attempt takes time from the
    stages.
    """

    def __init__(self, journal: str, interval: float, deltas: int) -> None:
        self._interval = interval
        self._most_deltas = deltas
        self._waiting = DeltaCounter(journal)
        self._pause = interval
        self._succeeded = True
        self._due = time.monotonic() + interval

    def pause(self) -> float:
        """The seconds after which to ask again whether a flush is due."""
        return max(0.0, min(self._due - time.monotonic(), LOOK))

    def is_due(self) -> bool:
        """Whether to flush now."""
        return time.monotonic() >= self._due or (self._succeeded and self._waiting.count() >= self._most_deltas)

    def flushed(self, *, succeeded: bool) -> None:
        """Plan the next flush after one that succeeded or failed."""
        self._succeeded = succeeded
        self._pause = self._interval if succeeded else max(self._interval, min(self._pause * 2, LONGEST_PAUSE))
        self._due = time.monotonic() + self._pause
        self._waiting.reset()


class DeltaCounter:
    """Counts the deltas that a journal gained. It searches the new lines for a text, which is cheaper than to parse."""

    def __init__(self, journal: str) -> None:
        self._journal = Path(journal)
        self._offset = 0
        self._count = 0

    def count(self) -> int:
        """The deltas since the last `reset`."""
        if self._size() > self._offset:
            with self._journal.open("rb") as lines:
                lines.seek(self._offset)
                for line in lines:
                    if not line.endswith(b"\n"):  # still being written
                        break
                    self._offset += len(line)
                    self._count += DELTA in line
        return self._count

    def reset(self) -> None:
        """Start to count again.

        Deltas that were written during the flush may not be counted; the next flush of the interval stores them.
        """
        self._offset, self._count = self._size(), 0

    def _size(self) -> int:
        try:
            return self._journal.stat().st_size
        except FileNotFoundError:
            return 0
