# SPDX-License-Identifier: GPL-3.0-or-later

"""Control of all processes of a step.

What the kernel tells about them, how they are found and killed, their limits, and their control group.

Where marks cannot be set, it finds them by their session and their parents instead.

Which figures there are depends on the host. CPU time is always there. Memory, and input and output, are there if the
host delegates their controllers. The kernel's Documentation/admin-guide/cgroup-v2.rst describes the files.
"""

from __future__ import annotations

import math
import os
import re
import resource
import signal
import time
from errno import ESRCH

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import FIRST_MARK
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import read_proc, stat_of, try_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt

    Limits = dict[str, Any]

MARK_NAME = b"Max realtime timeout"
UNMARKED = -1
DEAD = (b"Z", b"X")


def other_processes() -> Iterator[int]:
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


def mark_of(pid: int) -> int:
    """The process's mark: its soft limit of CPU time for real-time processes. `UNMARKED` if that is no mark of ours.

    A process that has a mark may be killed, so no other limit may be taken for one.
    """
    limits = read_proc(pid, "limits")
    if not limits:  # it ended between being opened and being read
        raise ProcessLookupError(ESRCH, "No such process")
    value = limits[limits.find(MARK_NAME) + len(MARK_NAME) :].split(None, 1)[:1]
    found = int(value[0]) if value and value[0].isdigit() else UNMARKED
    return found if found >= FIRST_MARK else UNMARKED


def describe_process(pid: int) -> str:
    """Name, number and user of a process, for people; empty where it has ended."""
    try:
        name = read_proc(pid, "comm").decode("utf-8", "backslashreplace").strip()
        return f"{name} (process {pid} of user {os.stat(f'/proc/{pid}').st_uid})"
    except OSError:
        return ""


def tasks_of(user: int) -> int:
    """How many processes and threads a user has, as the kernel counts them for `RLIMIT_NPROC`."""
    found = 0
    for pid in (os.getpid(), *other_processes()):
        try:
            if os.stat(f"/proc/{pid}").st_uid == user:
                found += int(stat_of(pid)[17])
        except OSError:
            continue
    return found


PATIENCE = 5.0  # seconds after which it gives up on processes that do not end
PAUSE = 0.01
NAMED = 5


def count_marked_processes(mark: int) -> int:
    """How many living processes have a mark."""
    found = 0
    for pid in other_processes():
        try:
            found += mark_of(pid) == mark and stat_of(pid)[0] not in DEAD
        except OSError:
            continue
    return found


def sweep(marks: range, leader: int = 0) -> Generator[float, None, str]:
    """Kill all processes with one of `marks`, and all descendants of the process `leader`, if one is given.

    Yields the moments, on the monotonic clock, at which to go on. Returns a text for people with what could not be
    killed, empty if nothing is left. It looks more than once, since a process can start another one just before it is
    killed.
    """
    until = time.monotonic() + PATIENCE
    while True:
        look = Look(marks, leader)
        while look.goes_on() and time.monotonic() < until:
            yield time.monotonic()
        found = look.found | look.kill_descendants()
        if not found:
            return ""
        if time.monotonic() >= until:
            return ", ".join(filter(None, map(describe_process, sorted(found)[:NAMED])))
        yield time.monotonic() + PAUSE


def kill_processes(marks: range, leader: int = 0) -> str:
    """Do what `sweep` does, sleeping in between. Returns what could not be killed, as `sweep` does."""
    sweeping = sweep(marks, leader)
    while True:
        try:
            time.sleep(max(0.0, next(sweeping) - time.monotonic()))
        except StopIteration as end:
            return str(end.value)


class Look:
    """One look at all processes. It has rounds: each looks only at processes that no earlier round has seen."""

    def __init__(self, marks: range, leader: int) -> None:
        self.found: set[int] = set()
        self._marks = marks
        self._leader = leader
        self._parents: dict[int, tuple[int, int]] = {}
        self._seen = ancestors()  # never killed: no step has started this process

    def goes_on(self) -> bool:
        """One round: kill the processes with a mark.

        Returns whether a process had ended before it was looked at. It may have started another one.
        """
        new = [pid for pid in other_processes() if pid not in self._seen]
        self._seen.update(new)
        return sum(map(self._is_gone, new)) > 0

    def kill_descendants(self) -> set[int]:
        """Kill all in the leader's session, and all their descendants. Returns the numbers of the killed processes."""
        if not self._leader:
            return set()
        descendants = {pid for pid, (_parent, session) in self._parents.items() if session == self._leader}
        size = -1
        while size < len(descendants):
            size = len(descendants)
            above = descendants | {self._leader}
            descendants |= {pid for pid, (parent, _session) in self._parents.items() if parent in above}
        for pid in descendants:
            _kill(pid)
        return descendants

    def _is_gone(self, pid: int) -> bool:
        """Kill a process if it has a mark, and note its parent and session. Returns whether it had already ended."""
        try:
            is_marked = mark_of(pid) in self._marks
            if is_marked:
                _kill(pid)
            elif not self._leader:
                return False
            state, parent, _group, session = stat_of(pid)[:4]
        except OSError:
            return True
        if state in DEAD:
            return True
        if is_marked:
            self.found.add(pid)
        self._parents[pid] = int(parent), int(session)
        return False


def _kill(pid: int) -> None:
    try_to(os.kill, pid, signal.SIGKILL)  # it may be gone, or another user's


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
        try_to(_write, self.folder, os.getpid())

    def end(self) -> dict[str, Any]:
        """Remove the group and return what was used in it, in seconds, KiB and bytes.

        Processes that are left in it go on in the group above.
        """
        cpu = self._cpu()
        found = {**cpu, **self._memory(), **self._io()} if any(cpu.values()) else {}
        for pid in _read_figure(self.folder, PROCESSES).split():
            try_to(_write, os.path.dirname(self.folder), int(pid))  # it may just have ended
        try_to(os.rmdir, self.folder)  # a process may just have been started in it
        return found

    def _cpu(self) -> dict[str, Any]:
        told = dict(line.split() for line in _read_figure(self.folder, "cpu.stat").splitlines())
        return {f"{name}_sec": int(told[f"{name}_usec"]) / 1e6 for name in ("user", "system") if f"{name}_usec" in told}

    def _memory(self) -> dict[str, Any]:
        peak = _read_figure(self.folder, "memory.peak")
        return {"memory_peak_kib": int(peak) // 1024} if peak else {}

    def _io(self) -> dict[str, Any]:
        """The sums over all devices. Each has a line such as `8:0 rbytes=1 wbytes=2`."""
        pairs = [word.split("=") for word in _read_figure(self.folder, "io.stat").split() if "=" in word]
        names = {"rbytes": "read_bytes", "wbytes": "written_bytes"}
        return {
            kept: sum(int(value) for found, value in pairs if found == name)
            for name, kept in names.items()
            if any(found == name for found, _value in pairs)
        }


def create_cgroup(name: str) -> Cgroup | None:
    """A new group below this process's own; None if the host has no groups or does not let this user make one."""
    own = [
        line.partition("::")[2] for line in _read_figure("/proc/self", "cgroup").splitlines() if line.startswith("0::")
    ]
    for root in ROOTS:
        above = root + own[0].rstrip("/") if own else ""
        if above and os.access(os.path.join(above, PROCESSES), os.W_OK):
            try:
                return Cgroup(os.path.join(above, name))
            except OSError:  # such as in a group that may hold no others
                return None
    return None


def _read_figure(folder: str, name: str) -> str:
    """The text of a file, empty where there is none."""
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _write(folder: str, pid: int) -> None:
    with open(os.path.join(folder, PROCESSES), "w", encoding="ascii") as file:
        file.write(str(pid))


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


def processes_around_step(step: dict[str, object]) -> int:
    """How many processes are around a step's own, which its limit of processes does not count."""
    is_script = step["kind"] == "shell" and "library" in step
    return (OF_SANDBOX if "sandbox" in step else 0) + (OF_LIBRARY if is_script else 0)


def set_limits(limits: Limits, group: Cgroup | None = None, more: int = 0) -> None:
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
    """Limit processes. The kernel counts all that the user has, this one included; root's it does not limit."""
    _set(resource.RLIMIT_NPROC, tasks_of(os.getuid()) - 1 + most)


SETTERS: dict[str, Callable[[Any], None]] = {
    "cpu_sec": _set_cpu,
    "memory_mib": lambda most: _set(resource.RLIMIT_AS, most * MIB),
    "processes": _set_processes,
    "open_files": lambda most: _set(resource.RLIMIT_NOFILE, most),
    "file_mib": lambda most: _set(resource.RLIMIT_FSIZE, most * MIB),
}


def describe_surplus_processes(limits: Limits, attempt: Attempt, more: int = 0) -> str:
    """Why root's running child has to be stopped: it has too many processes, which the kernel does not limit for root.

    Empty if it need not be stopped. The `more` processes around it do not count.
    """
    most = limits.get("processes")
    if most is None or os.getuid():
        return ""
    found = count_marked_processes(attempt.mark) - more
    return f"stopped: it has {found} processes, its limit is {most}" if found > most else ""


def describe_exceeded_limit(limits: Limits, attempt: Attempt, reason: str) -> str:
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
