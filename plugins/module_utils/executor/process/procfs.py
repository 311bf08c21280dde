# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel tells about processes. Functions that ask about one process raise OSError if it is gone."""

from __future__ import annotations

import os
from errno import ESRCH

from ansible_collections.rack.recipes.plugins.module_utils.executor.process.descendant_marks import FIRST_MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MARK_NAME = b"Max realtime timeout"
UNMARKED = -1
DEAD = (b"Z", b"X")


def others() -> Iterator[int]:
    """The numbers of all processes of this machine but this one, the youngest first."""
    own = os.getpid()
    numbers = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
    return (number for number in numbers if number != own)


def ancestors() -> set[int]:
    """The numbers of this process's parent, of the parent's parent, and so on up to the first process."""
    found = {1}
    pid = os.getppid()
    while pid > 1:
        found.add(pid)
        try:
            pid = int(stat_of(pid)[1])
        except OSError:  # it has just ended, or it is another user's and hidden: no process above it is known
            break
    return found


def stat_of(pid: int) -> list[bytes]:
    """The fields of `/proc/PID/stat`, from the third one, the state, on."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def mark_of(pid: int) -> int:
    """The process's mark: its soft limit of CPU time for real-time processes. `UNMARKED` if that is no mark of ours.

    A process that has a mark may be killed, so no other limit may be taken for one.
    """
    limits = _read(pid, "limits")
    if not limits:  # it ended between being opened and being read
        raise ProcessLookupError(ESRCH, "No such process")
    value = limits[limits.find(MARK_NAME) + len(MARK_NAME) :].split(None, 1)[:1]
    found = int(value[0]) if value and value[0].isdigit() else UNMARKED
    return found if found >= FIRST_MARK else UNMARKED


def described(pid: int) -> str:
    """Name, number and user of a process, for people."""
    name, user = _read(pid, "comm").decode("utf-8", "backslashreplace").strip(), os.stat(f"/proc/{pid}").st_uid
    return f"{name} (process {pid} of user {user})"


def tasks_of(user: int) -> int:
    """How many processes and threads a user has, as the kernel counts them for `RLIMIT_NPROC`."""
    found = 0
    for pid in (os.getpid(), *others()):
        try:
            if os.stat(f"/proc/{pid}").st_uid == user:
                found += int(stat_of(pid)[17])
        except OSError:
            continue
    return found


def _read(pid: int, name: str) -> bytes:
    file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    try:
        return os.read(file, 8192)
    finally:
        os.close(file)
