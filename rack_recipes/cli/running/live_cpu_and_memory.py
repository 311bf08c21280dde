# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures the CPU and memory that a running run uses on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

MIB = 1024 * 1024


class ProcessUsage:
    """The processes of a run: the one that holds the lock of its folder, and its descendants."""

    def __init__(self, folder: Path) -> None:
        self._lock = str((folder / "lock").resolve())
        self._known: dict[int, psutil.Process] = {}

    def line(self) -> str:
        """Return a line with the number of processes, their CPU since the last call and their memory.

        The CPU is in percent of one core. Memory that processes share counts for each of them. The line is empty if
        no process is found.
        """
        import psutil

        controller = next(iter(self._known.values()), None) or next(_holders(self._lock), None)
        if controller is None:
            return ""
        try:
            found = [controller, *controller.children(recursive=True)]
        except psutil.Error:  # it ended
            self._known = {}
            return ""
        self._known = {process.pid: self._known.get(process.pid, process) for process in found}
        percent, size = 0.0, 0
        for process in self._known.values():
            with suppress(psutil.Error):
                percent += process.cpu_percent()
                size += process.memory_info().rss
        return f"controller: {len(found)} processes, {percent:.0f} % of a core, {size / MIB:.0f} MiB"


def _holders(path: str) -> Iterator[psutil.Process]:
    """Yield the processes that have a file open, as far as this user may see them.

    Parents come before their children.
    """
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(file.path == path for file in process.open_files()):
                yield process
