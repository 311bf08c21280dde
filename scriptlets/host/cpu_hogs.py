# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that take a core for themselves, and hosts that start processes all the time."""

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
    """The process that wants most of a core, and how many are started; a host that is to be idle has none.

    What counts is the time that a thread ran and the time that it waited for a core. So it is found on a host that
    is busy with other work, too. Of a process with several threads the busiest one counts, and what its children ran
    once they have ended. Short-lived processes wait where nobody sees it: so those are counted that the host starts, or
    a container of its own process numbers.
    """

    options = {
        "seconds": {
            "type": "float",
            "default": 2,
            "min": 0,
            "max": 86_400,
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
        "max_starts": {
            "type": "float",
            "default": 100,
            "description": "How many processes and threads may be started in a second",
            "unit": "1/s",
            "source": "our choice: an idle host starts some 10, and a loop of short-lived processes hundreds",
        },
        "root": {
            "type": "path",
            "default": "/proc",
            "description": "The kernel's folder of processes; another one for tests",
        },
    }
    reads = ()
    writes = {
        "host.cpu_hogs_v1": (
            "`process` (its number), `command`, and `percent` of a core (%); `starts` of processes and threads (1/s)"
        )
    }
    needs = ()
    verdicts = {
        "failed": (
            "a thread, or a process with its children that end meanwhile, wants more than max_percent of a core; more "
            "than max_starts are started"
        ),
    }
    example = """
        - name: cpu_hogs
          module: host.cpu_hogs
    """

    def run(self, ctx, params):
        root = Path(params["root"])
        own = ancestors()
        first, before = last_started(root), wanted(root)
        time.sleep(params["seconds"])
        last, after = last_started(root), wanted(root)
        grown = {pid: growth(pid, before, after) for pid in after if pid in before and pid not in own}
        pid, most = max(grown.items(), key=lambda one: sum(one[1]), default=(0, (0.0, 0.0)))
        percent = round(min(100.0, sum(most)), 1)
        starts = None if None in (first, last) else round((last - first) % most_processes(root) / params["seconds"], 1)
        name = command_line(root, pid)
        ctx.set("host.cpu_hogs_v1", {"process": str(pid), "command": name, "percent": percent, "starts": starts})
        wrong = []
        if ctx.check("busiest_process", percent, "%", max=params["max_percent"]) == "failed":
            with_children = " with its short-lived children" if most[1] else ""
            wrong.append(f"process {pid} ({name}){with_children} wants {percent:.0f} % of a core")
        if starts is not None and ctx.check("starts", starts, "1/s", max=params["max_starts"]) == "failed":
            parent = max(grown, key=lambda one: grown[one][1], default=0)
            whose = f", most by process {parent} ({command_line(root, parent)})" if parent and grown[parent][1] else ""
            wrong.append(f"{starts:.0f} processes or threads are started in a second{whose}")
        if wrong:
            raise Failed(f"{'; '.join(wrong)}: end it, or keep such work off this host")


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
    """For how many seconds each thread has wanted a core, and the ended children; the parent, and when it was read."""

    threads: dict[int, float]
    children: float
    parent: int
    read: float


def growth(pid, before, after):
    """How much of a core the busiest thread of a process wanted between two looks, and its ended children (%).

    The kernel counts a wait when it ends, so one that began before the first look could make more than a whole core.
    What children that have ended meanwhile ran before the first look does not count.
    """
    then, now = before[pid], after[pid]
    own = max((now.threads[each] - then.threads[each] for each in now.threads if each in then.threads), default=0.0)
    gone = [each for number, each in before.items() if each.parent == pid and number not in after]
    known = sum(sum(each.threads.values()) + each.children for each in gone)
    seconds = now.read - then.read
    return 100 * own / seconds, 100 * max(0.0, now.children - then.children - known) / seconds


def wanted(root):
    """Each process that has a core or waits for one: the time of its threads, and that of its ended children.

    On a busy host the processes are not all read at one moment.
    """
    found = {}
    for path in root.glob("[0-9]*"):
        try:
            # Of proc(5): ppid is the field 4, cutime and cstime are 16 and 17, num_threads is 20; the name before them
            # may have blanks.
            fields = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()
            tasks = (path / "task").iterdir() if int(fields[17]) > 1 else [path]
            threads = {int(task.name): on_core(task) for task in tasks}
        except OSError:
            continue
        children = (int(fields[13]) + int(fields[14])) / TICKS
        found[int(path.name)] = Process(threads, children, int(fields[1]), time.monotonic())
    if not found:
        raise ValueError(f"the kernel does not count the time of processes ({root}/PID/schedstat)")
    return found


def on_core(task):
    """For how many seconds a thread has had a core or waited for one."""
    ran, waited = (task / "schedstat").read_text(encoding="ascii").split()[:2]
    return (int(ran) + int(waited)) / NANOSECONDS


def last_started(root):
    """The number of the last process or thread that was started in this host or container; None where nobody tells."""
    try:
        return int((root / "loadavg").read_text(encoding="ascii").split()[-1])
    except (OSError, ValueError, IndexError):
        return None


def most_processes(root):
    """How many processes there may be: the number after the last one is a low one again."""
    return int((root / "sys/kernel/pid_max").read_text(encoding="ascii"))


def command_line(root, pid):
    """The command line of a process, cut; empty when it is gone."""
    try:
        words = (root / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return ""
    return words.decode(errors="backslashreplace").strip()[:LONGEST]
