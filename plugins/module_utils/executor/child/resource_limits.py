# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limits of a step: they are set in its child, and the reason names the one that it has reached."""

from __future__ import annotations

import math
import os
import re
import resource
import signal

from ansible_collections.rack.recipes.plugins.module_utils.executor.process.procfs import tasks_of
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.reaper import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.cgroup_usage import Cgroup

    Limits = dict[str, Any]

MIB = 1024 * 1024
OF_SANDBOX = 2  # processes of a sandbox itself: bubblewrap, and the first one inside
OF_LIBRARY = 1  # the shell that runs a script with the library
NO_MEMORY = "MemoryError|OutOfMemory|bad_alloc|(?i:(?:cannot|can't) allocate memory|out of memory|memory exhausted)"
NO_PROCESS = "Resource temporarily unavailable|(?i:(?:cannot|can't) (?:fork|start new thread))"
# For each limit its words for people, and the signal or the words by which a step's end shows that it was reached.
SIGNS: dict[str, tuple[str, int, str]] = {
    "cpu_sec": ("{:g} s of CPU time", signal.SIGXCPU, ""),
    "memory_mib": ("{:g} MiB of memory", 0, NO_MEMORY),
    "processes": ("{:g} processes", 0, NO_PROCESS),
    "open_files": ("{:g} open files", 0, "Too many open files"),
    "file_mib": ("{:g} MiB in a file", signal.SIGXFSZ, "File too large"),
}


def around(step: dict[str, Any]) -> int:
    """How many processes are around a step's own, which its limit of processes does not count."""
    is_script = step["kind"] == "shell" and "library" in step
    return (OF_SANDBOX if "sandbox" in step else 0) + (OF_LIBRARY if is_script else 0)


def limit(limits: Limits, group: Cgroup | None = None, more: int = 0) -> None:
    """In the child: join its control group, and set the limits for itself and each process that it starts.

    `processes` does not count the `more` processes that are around it.
    """
    if group:
        group.join()
    for name, most in limits.items():
        SETTERS[name](most + more if name == "processes" else most)


def _set(what: int, soft: int, more: int = 0) -> None:
    """Set a soft limit to `soft` and its hard limit to `soft + more`. Only root could raise a hard limit again."""
    hard = resource.getrlimit(what)[1]
    new = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
    resource.setrlimit(what, (min(soft, new), new))


def _set_cpu(most: float) -> None:
    """Limit CPU time, in whole seconds. A process that goes on after the signal is killed a second later."""
    _set(resource.RLIMIT_CPU, max(1, math.ceil(most)), 1)


def _set_processes(most: int) -> None:
    """Limit processes. The kernel counts all that the user has, this one included. For root see `too_many`."""
    _set(resource.RLIMIT_NPROC, tasks_of(os.getuid()) - 1 + most)


SETTERS: dict[str, Callable[[Any], None]] = {
    "cpu_sec": _set_cpu,
    "memory_mib": lambda most: _set(resource.RLIMIT_AS, most * MIB),
    "processes": _set_processes,
    "open_files": lambda most: _set(resource.RLIMIT_NOFILE, most),
    "file_mib": lambda most: _set(resource.RLIMIT_FSIZE, most * MIB),
}


def too_many(limits: Limits, attempt: Attempt, more: int = 0) -> str:
    """Why root's running child has to be stopped: it has too many processes, which the kernel does not limit for root.

    Empty if it need not be stopped. The `more` processes around it do not count.
    """
    most = limits.get("processes")
    if most is None or os.getuid():
        return ""
    found = count(attempt.mark) - more
    return f"stopped: it has {found} processes, its limit is {most}" if found > most else ""


def exceeded(limits: Limits, attempt: Attempt, reason: str) -> str:
    """For people: which limit an attempt seems to have reached that did not end well; empty for none."""
    ended_by = attempt.ended_by
    if signal.SIGKILL in ended_by and attempt.cpu_seconds() >= limits.get("cpu_sec", math.inf):
        ended_by.add(signal.SIGXCPU)  # which it ignored
    said = f"{reason}\n{attempt.stderr.text(20_000)}"
    for name, most in limits.items():
        words, number, texts = SIGNS[name]
        if (number and number in ended_by) or (texts and re.search(texts, said)):
            return f"limits.{name} is {words.format(most)}"
    return ""
