# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mark on every process that a step starts, which no process loses by accident.

The mark is the soft limit of CPU time for real-time processes. The number is so large that it limits nothing. A process
keeps it through double forks, `setsid`, `env -i` and `exec`, unlike its parent, its session or a variable.
"""

from __future__ import annotations

import os
import resource

MARK = resource.RLIMIT_RTTIME
FIRST_MARK = 1 << 62
MOST = 1 << 24  # marks, and so attempts, of one executor


class ProcessMarks:
    """Marks the processes that this process starts. No mark is used twice, even by several stages in one process."""

    _used = 0

    def __init__(self) -> None:
        self._before = resource.getrlimit(MARK)
        self._marks = marks_of(os.getpid(), _started_at())

    def put(self) -> int:
        """Set a new mark for the processes that are started from now on, and return it."""
        ProcessMarks._used += 1
        mark = self._marks[ProcessMarks._used % MOST]
        try:  # noqa: SIM105 - a target would pay for contextlib
            resource.setrlimit(MARK, (mark, self._before[1]))
        except ValueError:  # the hard limit is lower
            pass
        return mark

    def remove(self) -> None:
        """Take the mark away: processes that are started from now on have none."""
        resource.setrlimit(MARK, self._before)


def marks_of(pid: int, started: int) -> range:
    """All marks of the executor with process number `pid`.

    `started` is when it started, in ticks since boot. An earlier process with the same number thus had other marks.
    """
    first = FIRST_MARK | pid << 40 | (started & 0xFFFF) << 24
    return range(first, first + MOST)


def _started_at() -> int:
    """When this process started, in ticks since boot."""
    with open("/proc/self/stat", "rb") as stat:
        return int(stat.read().rpartition(b")")[2].split()[19])
