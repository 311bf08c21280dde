# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with little memory: their sshd, and all that runs on them, in a control group. Needs root.

with Small(128) as small, Rack(1, within=small.within) as rack:
    ...  # the kernel kills who takes more than the 128 MiB

Both versions of control groups work. The memory controller is looked for in the group of this process, then in the root
group.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOENT
from pathlib import Path
from types import TracebackType
from typing import Self

from service_supervisor import ServiceError

ROOT = Path("/sys/fs/cgroup")
MIB = 1024 * 1024
LIMITS = ("memory.limit_in_bytes", "memory.max")  # by version: the first that there is counts
PATIENCE = 10.0  # seconds until the last process of a host has left its group
JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


def objection() -> str:
    """Return why this machine cannot make such a host; an empty text if it can."""
    if os.geteuid():
        return "a control group with a limit needs root"
    try:
        with Small(64):
            return ""
    except ServiceError as error:
        return str(error)


class Small:
    """A control group whose processes together have this number of MiB of memory, and no swap."""

    def __init__(self, mib: int) -> None:
        self._mib = mib
        self.folder = Path()

    @property
    def within(self) -> tuple[str, ...]:
        """The command prefix that runs a command in the group."""
        return ("/bin/sh", "-c", JOIN, str(self.folder))

    def kills(self) -> int:
        """How many of its processes the kernel has killed."""
        for name in ("memory.oom_control", "memory.events"):
            with suppress(OSError):
                told = dict(line.split() for line in (self.folder / name).read_text().splitlines())
                return int(told["oom_kill"])
        return 0

    def __enter__(self) -> Self:
        problems = []
        for parent in _parents():
            self.folder = parent / f"rack-{secrets.token_hex(4)}"
            try:
                self.folder.mkdir()
                self._limit()
            except OSError as error:
                problems.append(f"{error.filename}: {error.strerror}")
                with suppress(OSError):
                    self.folder.rmdir()
            else:
                return self
        raise ServiceError(f"no control group can be given a limit of memory here: {'; '.join(problems) or ROOT}")

    def _limit(self) -> None:
        name = next((name for name in LIMITS if (self.folder / name).exists()), "")
        if not name:
            raise FileNotFoundError(ENOENT, "it has no memory controller", str(self.folder.parent))
        (self.folder / name).write_text(str(self._mib * MIB))
        for swap, most in (("memory.memsw.limit_in_bytes", self._mib * MIB), ("memory.swap.max", 0)):
            if (self.folder / swap).exists():  # a kernel without swap has no such file
                (self.folder / swap).write_text(str(most))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        until = time.monotonic() + PATIENCE
        while self.folder.exists():
            try:
                self.folder.rmdir()
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


def _parents() -> Iterator[Path]:
    """Where a group with a limit may be made: below this process's own, beside it, or at the top."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = ROOT / controllers
            places = (root / path.lstrip("/"), (root / path.lstrip("/")).parent, root)
            yield from dict.fromkeys(place for place in places if place.is_relative_to(root) and place.is_dir())
