# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage that outlives its connection: its folder, its journal on the host, its lease."""

from __future__ import annotations

import os
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.folders import remove
from ansible_collections.rack.recipes.plugins.module_utils.record import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEASE = b"%020.3f"
PAUSE = 0.05


class Detached:
    """The folder of one stage on this host."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.work = os.path.join(folder, "work")
        self._journal = -1
        self._lease = -1
        self._written = 0

    def path(self, name: str) -> str:
        """A file of this stage."""
        return os.path.join(self.folder, name)

    def create(self) -> bool:
        """Make the folder; False where the stage was started before."""
        try:
            os.mkdir(self.folder, 0o700)
        except FileExistsError:
            return False
        os.mkdir(self.work, 0o700)
        self.renew()
        return True

    def renew(self) -> None:
        """Say that the controller is there. Monotonic time: a clock that is set must not end a test."""
        lease = os.open(self.path("lease"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(lease, LEASE % time.monotonic(), 0)
        os.close(lease)

    def begin(self) -> None:
        """The runner starts: leave its number, and open what it writes to."""
        runner = os.open(self.path("runner"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(runner, b"%d %s" % (os.getpid(), _started(os.getpid())))
        os.close(runner)
        self._journal = os.open(self.path("journal.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lease = os.open(self.path("lease"), os.O_RDONLY)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record to the journal on this host, numbered."""
        self._written += 1
        record["n"] = self._written
        data = memoryview(encode(record))
        while data:
            data = data[os.write(self._journal, data) :]

    def leased(self, seconds: float) -> bool:
        """Whether the controller was heard of within the last `seconds`."""
        return time.monotonic() - float(os.pread(self._lease, 20, 0)) <= seconds

    def end(self) -> None:
        """The runner ends: only the journal stays, to be collected."""
        remove(self.work)
        os.close(os.open(self.path("ended"), os.O_WRONLY | os.O_CREAT, 0o600))

    def await_end(self, seconds: float) -> None:
        """Renew the lease of a stage that runs, and wait until it has ended, or for `seconds`."""
        if self.state() == "running":
            self.renew()
        until = time.monotonic() + seconds
        while self.state() == "running" and time.monotonic() < until:
            time.sleep(PAUSE)

    def state(self) -> str:
        """`ended`, `running`, `killed` (the runner is gone without an end) or `unknown` (no such stage here)."""
        if os.path.exists(self.path("ended")):
            return "ended"
        try:
            with open(self.path("runner"), "rb") as runner:
                pid, started = runner.read().split(b" ", 1)
        except FileNotFoundError:
            return "running" if os.path.isdir(self.folder) else "unknown"
        return "running" if _started(int(pid)) == started else "killed"

    def journal_from(self, offset: int) -> bytes:
        """What the journal holds from `offset` on."""
        try:
            with open(self.path("journal.jsonl"), "rb") as journal:
                journal.seek(offset)
                return journal.read()
        except FileNotFoundError:
            return b""


def _started(pid: int) -> bytes:
    """When a process began, in ticks since boot: a process number alone is used again."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19]
    except FileNotFoundError:
        return b""
