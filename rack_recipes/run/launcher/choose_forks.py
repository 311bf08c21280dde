# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many hosts are tested at once where the user has not said it: as many as this machine has room for.

Ansible forks a process for each host, which lives as long as the host's stage and mostly waits. So there can be many
more of them than cores. A host that has to wait for a free process is tested later than the others.
"""

from __future__ import annotations

import os
import re
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 1024**2
A_CORE = 64  # to start one takes 0.05 s of CPU; those that start together must all log in within ssh's 10 s
MEMORY = 50 * MIB  # twice what a worker and its ssh use of their own: 13 + 5 MiB, and more with a large inventory
FILES = 8  # twice what Ansible's main process keeps open for each
MOST = 512  # each worker that is forked costs the more, the more there are
LEAST = 5  # Ansible's own default
AVAILABLE = re.compile(r"^MemAvailable: +(\d+) kB", re.MULTILINE)
GROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of a container, in either version of control groups


@dataclass(frozen=True, slots=True)
class Room:
    """What this process may use: cores, memory in bytes, open files."""

    cores: int
    memory: int
    files: int

    def __str__(self) -> str:
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{cores}, {self.memory / 1024 / MIB:.1f} GiB of free memory, {self.files} open files"


def room_here(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> Room:
    """The room on this machine now. What cannot be read limits nothing."""
    memory = [MOST * MEMORY]
    with suppress(OSError):
        memory = [int(kib) * 1024 for kib in AVAILABLE.findall((proc / "meminfo").read_text())] or memory
    for name in GROUP_LIMITS:
        with suppress(OSError, ValueError):  # it says "max" where there is none
            memory.append(int((groups / name).read_text()))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return Room(len(os.sched_getaffinity(0)), min(memory), MOST * FILES if files == resource.RLIM_INFINITY else files)


def forks_in(room: Room) -> int:
    """How many workers there is room for."""
    return max(LEAST, min(room.cores * A_CORE, room.memory // MEMORY, room.files // FILES, MOST))
