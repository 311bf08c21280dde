# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control group (cgroup v2) for one attempt. It counts what all of its processes use, also those nobody waits for.

Which figures there are depends on the host. CPU time is always there. Memory, and input and output, are there if the
host delegates their controllers. The kernel's Documentation/admin-guide/cgroup-v2.rst describes the files.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
PROCESSES = "cgroup.procs"


class Cgroup:
    """A group in a new folder. It holds each process that joins it, and all that such a process starts afterwards.

    Raises OSError if the folder cannot be made.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        os.mkdir(folder)

    def join(self) -> None:
        """In the child: join the group. If the host does not allow it, the step runs without being counted."""
        try:  # noqa: SIM105 - a target would pay for contextlib
            _write(self.folder, os.getpid())
        except OSError:
            pass

    def end(self) -> dict[str, Any]:
        """Remove the group and return what was used in it, in seconds, KiB and bytes.

        Processes that are left in it go on in the group above.
        """
        cpu = self._cpu()
        found = {**cpu, **self._memory(), **self._io()} if any(cpu.values()) else {}
        for pid in _read(self.folder, PROCESSES).split():
            try:  # noqa: SIM105 - a target would pay for contextlib
                _write(os.path.dirname(self.folder), int(pid))
            except OSError:  # it has just ended
                pass
        try:  # noqa: SIM105
            os.rmdir(self.folder)
        except OSError:  # a process has just been started in it
            pass
        return found

    def _cpu(self) -> dict[str, Any]:
        told = dict(line.split() for line in _read(self.folder, "cpu.stat").splitlines())
        return {f"{name}_sec": int(told[f"{name}_usec"]) / 1e6 for name in ("user", "system") if f"{name}_usec" in told}

    def _memory(self) -> dict[str, Any]:
        peak = _read(self.folder, "memory.peak")
        return {"memory_peak_kib": int(peak) // 1024} if peak else {}

    def _io(self) -> dict[str, Any]:
        """The sums over all devices. Each has a line such as `8:0 rbytes=1 wbytes=2`."""
        pairs = [word.split("=") for word in _read(self.folder, "io.stat").split() if "=" in word]
        names = {"rbytes": "read_bytes", "wbytes": "written_bytes"}
        return {
            kept: sum(int(value) for found, value in pairs if found == name)
            for name, kept in names.items()
            if any(found == name for found, _value in pairs)
        }


def create_cgroup(name: str) -> Cgroup | None:
    """A new group below this process's own; None if the host has no groups or does not let this user make one."""
    own = [line.partition("::")[2] for line in _read("/proc/self", "cgroup").splitlines() if line.startswith("0::")]
    for root in ROOTS:
        above = root + own[0].rstrip("/") if own else ""
        if above and os.access(os.path.join(above, PROCESSES), os.W_OK):
            try:
                return Cgroup(os.path.join(above, name))
            except OSError:  # such as in a group that may hold no others
                return None
    return None


def _read(folder: str, name: str) -> str:
    """The text of a file, empty where there is none."""
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _write(folder: str, pid: int) -> None:
    with open(os.path.join(folder, PROCESSES), "w", encoding="ascii") as file:
        file.write(str(pid))
