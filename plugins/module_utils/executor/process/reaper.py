# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds all processes that a step has started, by their mark, and kills them.

Where marks cannot be set, it finds them by their session and their parents instead.
"""

from __future__ import annotations

import os
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

PATIENCE = 5.0  # seconds after which it gives up on processes that do not end
PAUSE = 0.01
NAMED = 5


def count(mark: int) -> int:
    """How many living processes have a mark."""
    found = 0
    for pid in procfs.others():
        try:
            found += procfs.mark_of(pid) == mark and procfs.stat_of(pid)[0] not in procfs.DEAD
        except OSError:
            continue
    return found


def sweep(marks: range, leader: int = 0) -> Generator[float, None, str]:
    """Kill all processes with one of `marks`, and all descendants of the process `leader`, if one is given.

    Yields the moments, on the monotonic clock, at which to go on. Returns a text for people with what could not be
    killed, empty if nothing is left. It looks more than once, since a process can start another one just before it is
    killed.
    """
    until = time.monotonic() + PATIENCE
    while True:
        look = Look(marks, leader)
        while look.goes_on() and time.monotonic() < until:
            yield time.monotonic()
        found = look.found | look.kill_descendants()
        if not found:
            return ""
        if time.monotonic() >= until:
            return ", ".join(filter(None, map(_described, sorted(found)[:NAMED])))
        yield time.monotonic() + PAUSE


def end_all(marks: range, leader: int = 0) -> str:
    """Do what `sweep` does, sleeping in between. Returns what could not be killed, as `sweep` does."""
    sweeping = sweep(marks, leader)
    while True:
        try:
            time.sleep(max(0.0, next(sweeping) - time.monotonic()))
        except StopIteration as end:
            return str(end.value)


class Look:
    """One look at all processes. It has rounds: each looks only at processes that no earlier round has seen."""

    def __init__(self, marks: range, leader: int) -> None:
        self.found: set[int] = set()
        self._marks = marks
        self._leader = leader
        self._parents: dict[int, tuple[int, int]] = {}
        self._seen = procfs.ancestors()  # never killed: no step has started this process

    def goes_on(self) -> bool:
        """One round: kill the processes with a mark.

        Returns whether a process had ended before it was looked at. It may have started another one.
        """
        new = [pid for pid in procfs.others() if pid not in self._seen]
        self._seen.update(new)
        return sum(map(self._is_gone, new)) > 0

    def kill_descendants(self) -> set[int]:
        """Kill all in the leader's session, and all their descendants. Returns the numbers of the killed processes."""
        if not self._leader:
            return set()
        descendants = {pid for pid, (_parent, session) in self._parents.items() if session == self._leader}
        size = -1
        while size < len(descendants):
            size = len(descendants)
            above = descendants | {self._leader}
            descendants |= {pid for pid, (parent, _session) in self._parents.items() if parent in above}
        for pid in descendants:
            _kill(pid)
        return descendants

    def _is_gone(self, pid: int) -> bool:
        """Kill a process if it has a mark, and note its parent and session. Returns whether it had already ended."""
        try:
            is_marked = procfs.mark_of(pid) in self._marks
            if is_marked:
                _kill(pid)
            elif not self._leader:
                return False
            state, parent, _group, session = procfs.stat_of(pid)[:4]
        except OSError:
            return True
        if state in procfs.DEAD:
            return True
        if is_marked:
            self.found.add(pid)
        self._parents[pid] = int(parent), int(session)
        return False


def _kill(pid: int) -> None:
    try:  # noqa: SIM105
        os.kill(pid, signal.SIGKILL)
    except OSError:  # gone, or of another user
        pass


def _described(pid: int) -> str:
    try:
        return procfs.described(pid)
    except OSError:
        return ""
