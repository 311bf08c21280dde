# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds all processes that a step has started, by their mark, and kills them.

Where the kernel has no marks, or they cannot be set, the session and the tree of processes are used instead.
"""

from __future__ import annotations

import os
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

PATIENCE = 5.0  # seconds in which whoever is killed has to go
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
    """Kill all processes with one of `marks`, and all that descend from `leader`. Yields the moments to go on at.

    Returns what could not be killed, for people; empty where nothing is left. It looks more than once: a process can
    start another one after it was seen and before it is killed.
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
    """Do the same at once. Returns what could not be killed."""
    sweeping = sweep(marks, leader)
    while True:
        try:
            time.sleep(max(0.0, next(sweeping) - time.monotonic()))
        except StopIteration as end:
            return str(end.value)


class Look:
    """One look at all processes, in rounds: each looks at those only that the rounds before have not seen."""

    def __init__(self, marks: range, leader: int) -> None:
        self.found: set[int] = set()
        self._marks = marks
        self._leader = leader
        self._parents: dict[int, tuple[int, int]] = {}
        self._seen = procfs.ancestors()  # spared whatever they look like: nothing of ours has started us

    def goes_on(self) -> bool:
        """Kill what has a mark; True where one ended before it was looked at: it may have started another."""
        new = [pid for pid in procfs.others() if pid not in self._seen]
        self._seen.update(new)
        return sum(map(self._is_gone, new)) > 0

    def kill_descendants(self) -> set[int]:
        """Kill all in the leader's session, and all that descend from these, by their parents and sessions."""
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
        """Kill a process that has a mark, and remember what was found; True where it had ended by itself before."""
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
