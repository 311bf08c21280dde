# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that take a core for themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from rack_recipes import Failed, Scriptlet

LONGEST = 120
NANOSECONDS = 1e9
TICKS = os.sysconf("SC_CLK_TCK")


class CpuHogs(Scriptlet):
    """The process that wants most of a core; a host that is to be idle has none.

    What counts is the time that a process ran and the time that it waited for a core. So it is found on a host that
    is busy with other work, too. What its children ran counts with it once they have ended, since nobody else sees
    hundreds of short-lived processes.
    """

    options = {
        "seconds": {
            "type": "float",
            "default": 2,
            "description": "For how long is looked",
            "unit": "s",
        },
        "max_percent": {
            "type": "float",
            "default": 80,
            "description": "How much of a core a process may want",
            "unit": "%",
            "source": "our choice: a process that computes all the time wants 100 %",
        },
        "root": {
            "type": "path",
            "default": "/proc",
            "description": "The kernel's folder of processes; another one for tests",
        },
    }
    reads = ()
    writes = {"host.cpu_hogs_v1": "`process` (its number), `command`, and `percent` of a core (%)"}
    needs = ()
    verdicts = {
        "failed": "a process, with its children that end meanwhile, wants more than max_percent of a core",
    }
    example = """
        - name: cpu_hogs
          module: host.cpu_hogs
    """

    def run(self, ctx, params):
        root = Path(params["root"])
        own = ancestors()
        before = wanted(root)
        time.sleep(params["seconds"])
        after = wanted(root)
        gone = {pid: process for pid, process in before.items() if pid not in after}
        grown = {
            pid: percent(before[pid], after[pid], [each for each in gone.values() if each.parent == pid])
            for pid in after
            if pid in before and pid not in own
        }
        pid, most = max(grown.items(), key=lambda one: one[1], default=(0, 0.0))
        name = command_line(root, pid)
        ctx.set("host.cpu_hogs_v1", {"process": str(pid), "command": name, "percent": round(most, 1)})
        if ctx.check("busiest_process", round(most, 1), "%", max=params["max_percent"]) == "failed":
            with_children = " with its short-lived children" if ended(before[pid], after[pid], ()) else ""
            raise Failed(
                f"process {pid} ({name}){with_children} wants {most:.0f} % of a core: end it, or keep such work off "
                "this host"
            )


def ancestors():
    """The numbers of this process and those above it: what runs the step is not what it looks for."""
    found, pid = set(), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            break
    return found


class Process(NamedTuple):
    """For how many seconds a process has wanted a core, and its ended children; its parent, and when that was read."""

    wanted: float
    children: float
    parent: int
    read: float


def percent(before, after, gone):
    """How much of a core a process, with its children, wanted between two looks at it (%).

    The kernel counts a wait when it ends, so one that began before the first look could make more than a whole core.
    """
    own = after.wanted - before.wanted + ended(before, after, gone)
    return min(100.0, 100 * own / (after.read - before.read))


def ended(before, after, gone):
    """For how many seconds children ran that have ended meanwhile; what those in `gone` ran before does not count."""
    return max(0.0, after.children - before.children - sum(each.wanted + each.children for each in gone))


def wanted(root):
    """Each process that has a core or waits for one: the time of its main thread, and that of its ended children.

    On a busy host the processes are not all read at one moment.
    """
    found = {}
    for path in root.glob("[0-9]*/schedstat"):
        try:
            ran, waited = path.read_text(encoding="ascii").split()[:2]
            # Of proc(5): ppid is the field 4, cutime and cstime are 16 and 17; the name before them may have blanks.
            fields = path.with_name("stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        children = (int(fields[13]) + int(fields[14])) / TICKS
        own = (int(ran) + int(waited)) / NANOSECONDS
        found[int(path.parent.name)] = Process(own, children, int(fields[1]), time.monotonic())
    if not found:
        raise ValueError(f"the kernel does not count the time of processes ({root}/PID/schedstat)")
    return found


def command_line(root, pid):
    """The command line of a process, cut; empty when it is gone."""
    try:
        words = (root / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return ""
    return words.decode(errors="backslashreplace").strip()[:LONGEST]
