# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every process that comes of a step, wherever it went, found by its mark and killed.

Where the kernel knows no marks, or they cannot be set, the session and the tree of processes have to do.
"""

from __future__ import annotations

import os
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

PATIENCE = 5.0  # seconds in which whoever is killed has to go
PAUSE = 0.01
SURE = 10  # looks in a row that find nothing, where each missed a process that ended meanwhile
NAMED = 5
NOBODY = (b"X", b"0", b"0", b"0")


def count(mark: int) -> int:
    """How many living processes have a mark."""
    found = 0
    for pid in proc.others():
        try:
            found += proc.mark_of(pid) == mark and proc.stat_of(pid)[0] not in proc.DEAD
        except OSError:
            continue
    return found


def sweep(marks: range, leader: int = 0) -> Generator[float, None, str]:
    """Kill all that have one of `marks`, and all that come of `leader`; gives the moments to go on at.

    At the end it tells what could not be killed, for people; empty where nothing is left. One look is not enough: a
    process can start another one between being seen and being killed.
    """
    until = time.monotonic() + PATIENCE
    misses = 0
    dead: set[int] = set()
    while True:
        found, is_whole = _kill_seen(marks, leader, dead)
        misses = 0 if found else misses + 1
        if misses and (is_whole or misses == SURE):
            return ""
        if time.monotonic() >= until:
            return ", ".join(filter(None, map(_described, sorted(found)[:NAMED])))
        yield time.monotonic() + PAUSE


def end_all(marks: range, leader: int = 0) -> str:
    """The same without a break."""
    sweeping = sweep(marks, leader)
    while True:
        try:
            time.sleep(max(0.0, next(sweeping) - time.monotonic()))
        except StopIteration as end:
            return str(end.value)


def _kill_seen(marks: range, leader: int, dead: set[int]) -> tuple[set[int], bool]:
    """Kill what one look finds; also whether it saw all: one that ended meanwhile may have started another.

    `dead` are those that an earlier look found dead, to which this one adds its own: they start nothing any more.
    """
    found: set[int] = set()
    parents: dict[int, tuple[int, int]] = {}
    is_whole = True
    spared = proc.ancestors()  # whatever they look like: nothing of ours has started us
    for pid in proc.others():
        if pid in spared:
            continue
        try:
            is_marked = proc.mark_of(pid) in marks
            if is_marked:
                _kill(pid)
            state, parent, _group, session = proc.stat_of(pid)[:4] if is_marked or leader else NOBODY
            if state not in proc.DEAD:
                found.update([pid] if is_marked else ())
                parents[pid] = int(parent), int(session)
            elif (is_marked or leader) and pid not in dead:
                dead.add(pid)
                is_whole = False
        except OSError:
            is_whole = False
    family = _family(leader, parents) if leader else set()
    for pid in family:
        _kill(pid)
    return found | family, is_whole


def _family(leader: int, parents: dict[int, tuple[int, int]]) -> set[int]:
    """All in the leader's session, and all that descend from these, by their parents and sessions."""
    family = {pid for pid, (_parent, session) in parents.items() if session == leader}
    size = -1
    while size < len(family):
        size = len(family)
        family |= {pid for pid, (parent, _session) in parents.items() if parent == leader or parent in family}
    return family


def _kill(pid: int) -> None:
    try:  # noqa: SIM105
        os.kill(pid, signal.SIGKILL)
    except OSError:  # gone, or of another user
        pass


def _described(pid: int) -> str:
    try:
        return proc.described(pid)
    except OSError:
        return ""
