# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one command and print its figures as JSON.

This is a script, so that it has no other children. It is a subreaper: processes that the command leaves behind (most of
them persistent ssh masters) become its children. It ends them and counts their CPU time. So the next run finds no open
connection.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
LOOK = 1.0
"""Seconds between two looks at the memory that is in use."""
SHARE = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)
GRACE = 10.0
"""Seconds that a process which outlives the command may take to end by itself."""


def main() -> int:
    """Measure the command line's command; the exit code is 0 whatever the command's was."""
    options = parsed(sys.argv[1:])
    become_subreaper()
    try:
        print(json.dumps(measure(options)))
    finally:
        end_children(0.0)
    return 0


def parsed(words: list[str]) -> argparse.Namespace:
    """The options and, after `--`, the command."""
    parser = argparse.ArgumentParser(description="Run one command and print its figures as JSON.")
    parser.add_argument("--stdout", type=Path, required=True)
    parser.add_argument("--stderr", type=Path, required=True)
    parser.add_argument("--timeout", type=float, required=True, help="seconds")
    parser.add_argument("--memory", action="store_true", help="also the peak of what all processes use together")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(words)


def become_subreaper() -> None:
    """Make orphaned descendants children of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Return wall seconds of the command, and CPU seconds of the command and of all processes that it started."""
    with options.stdout.open("wb") as stdout, options.stderr.open("wb") as stderr:
        started = time.monotonic()
        process = subprocess.Popen(
            options.command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
        )
        in_time, memory = ended(process.pid, options.timeout, LOOK if options.memory else None)
        if not in_time:
            os.killpg(process.pid, signal.SIGKILL)
        exit_code = process.wait()
        wall = time.monotonic() - started
    left = end_children(GRACE if in_time else 0.0)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "max_rss_kib": usage.ru_maxrss,
        "memory_kib": memory,
        "exit_code": exit_code,
        "timed_out": not in_time,
        "left": left,
    }


def ended(pid: int, timeout: float, look: float | None) -> tuple[bool, int | None]:
    """Wait for a process to end; false when the time is over. The second is the peak of the memory in use, in KiB.

    Memory is looked at every `look` seconds. With None it is not, and there is no delay by polling.
    """
    descriptor, deadline = os.pidfd_open(pid), time.monotonic() + timeout
    peak = 0 if look else None
    try:
        while (left := deadline - time.monotonic()) > 0:
            if select.select([descriptor], [], [], min(look or left, left))[0]:
                return True, peak
            peak = None if peak is None else max(peak, memory_in_use())
        return False, peak
    finally:
        os.close(descriptor)


def memory_in_use() -> int:
    """KiB of all descendants of this process. A page that several of them share counts once."""
    total, waiting = 0, children()
    while waiting:
        process = Path("/proc", str(waiting.pop()))
        with contextlib.suppress(OSError):  # it has ended
            total += int(SHARE.search((process / "smaps_rollup").read_text())[1])
            for listed in process.glob("task/*/children"):
                waiting += map(int, listed.read_text().split())
    return total


def end_children(grace: float) -> list[str]:
    """End and reap every child. ssh masters are told to end; others are killed after `grace` seconds.

    Returns the names of those that had to be killed.
    """
    killed: dict[int, str] = {}
    deadline = time.monotonic() + grace
    while reap():
        for pid in children():
            if name(pid) == "ssh":
                os.kill(pid, signal.SIGTERM)
            elif time.monotonic() >= deadline:
                killed[pid] = name(pid)
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return sorted(killed.values())


def reap() -> bool:
    """Collect the children that have ended. Return whether others are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def children() -> list[int]:
    """The processes that are our children now."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def name(pid: int) -> str:
    """A child's command name; it cannot be gone, only a zombie, before we have reaped it."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


if __name__ == "__main__":
    raise SystemExit(main())
