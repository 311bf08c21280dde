# SPDX-License-Identifier: GPL-3.0-or-later

"""How the processes of a step start.

Each has a mark; a program is spawned, or a forked child detaches from the executor, sends it events, and becomes a
program.

The mark is the soft limit of CPU time for real-time processes. The number is so large that it limits nothing. A process
keeps it through double forks, `setsid`, `env -i` and `exec`, unlike its parent, its session or a variable.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
from _thread import allocate_lock

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import in_memory, stat_of, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn, Union

    # What a fork of the executor does, until it ends its process.
    Fork = Callable[["EventWriter"], NoReturn]
    # What a child becomes: a program as argument list and environment, or a fork of the executor. A script with the
    # library for scripts also has what its records begin with.
    Program = Union[tuple[list[str], dict[str, str]], tuple[list[str], dict[str, str], bytes], Fork]

MARK = resource.RLIMIT_RTTIME
FIRST_MARK = 1 << 62
MOST_MARKS = 1 << 24  # marks, and so attempts, of one executor


class ProcessMarks:
    """Marks the processes that this process starts. No mark is used twice, even by several stages in one process."""

    _used = 0

    def __init__(self) -> None:
        self._before = resource.getrlimit(MARK)
        self._marks = marks_of_process(os.getpid())

    def put(self) -> int:
        """Set a new mark for the processes that are started from now on, and return it."""
        ProcessMarks._used += 1
        mark = self._marks[ProcessMarks._used % MOST_MARKS]
        try:  # noqa: SIM105 - a target would pay for contextlib
            resource.setrlimit(MARK, (mark, self._before[1]))
        except ValueError:  # the hard limit is lower
            pass
        return mark

    def remove(self) -> None:
        """Take the mark away: processes that are started from now on have none."""
        resource.setrlimit(MARK, self._before)


def marks_of(pid: int, started: int) -> range:
    """All marks of the executor with process number `pid`.

    `started` is when it started, in ticks since boot. An earlier process with the same number thus had other marks.
    """
    first = FIRST_MARK | pid << 40 | (started & 0xFFFF) << 24
    return range(first, first + MOST_MARKS)


def marks_of_process(pid: int) -> range:
    """All marks of an executor that runs, or that nobody has waited for. Raises OSError."""
    return marks_of(pid, int(stat_of(pid)[19]))


# Looked up by name: Ansible's linter would ask for run_command, which waits for the program's end.
posix_spawnp = vars(os)["posix_spawnp"]


def spawn_program(
    argv: list[str], env: dict[str, str], streams: dict[int, int], default: tuple[int, ...], *, session: bool = False
) -> int:
    """Start the program `argv`, looked up in PATH, and return its process number.

    `streams` maps the program's descriptors to those of this process. `default` are the signals that Python ignores and
    the program must not ignore. With `session` the program gets a session of its own. Raises OSError if it cannot be
    started.
    """
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in streams.items()]
    started: int = posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=session, setsigdef=default)
    return started


ATOMIC = 4096  # bytes that a pipe takes in one piece, even if other processes write into it
LARGEST_EVENT = 64 * 1024 * 1024  # bytes of JSON
# Descriptors of a script with the library: what it is given, and its records. Scripts choose smaller numbers.
GIVEN, RECORDS = 100, 101
OF_LIBRARY = {"RACK_IN": f"/proc/self/fd/{GIVEN}", "RACK_OUT": f"/proc/self/fd/{RECORDS}"}
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores these signals, and programs would inherit that


def enter_child(stdin: int, stdout: int, stderr: int) -> None:
    """Leave the executor's session, streams and signal handlers behind. The arguments are the new streams."""
    os.setsid()
    for target, source in enumerate((stdin, stdout, stderr)):
        os.dup2(source, target)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def records_of(begun: bytes) -> int:
    """An anonymous file for the records of a script, which begin with `begun`; its number is above those of scripts."""
    found = in_memory(begun)
    try:
        return fcntl.fcntl(found, fcntl.F_DUPFD_CLOEXEC, RECORDS + 1)
    finally:
        os.close(found)


def take_library(begun: bytes) -> None:
    """Open what a script with the library is given, which is also its stdin, and its records."""
    os.dup2(0, GIVEN)
    os.dup2(records_of(begun), RECORDS)


def execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    """Become the program `argv`, looked up in PATH. Never returns: a program that cannot be run means exit code 127."""
    _take_signals()
    try:
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        _leave(argv[0], error)


def execute_file(path: str, env: dict[str, str]) -> NoReturn:
    """Become the program in the file `path`, even if its folder is mounted noexec. Never returns, as `execute`."""
    _take_signals()
    try:
        try:
            os.execve(path, [path], env)
        except PermissionError:
            with open(path, "rb") as program:
                os.execve(in_memory(program.read()), [path], env)
    except OSError as error:
        _leave(path, error)


def _take_signals() -> None:
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)


def _leave(program: str, error: OSError) -> NoReturn:
    write_all(2, f"{program}: {error.strerror}\n".encode("utf-8", "backslashreplace"))
    os._exit(127)


class EventWriter:
    """Sends events to the executor through the pipe `events`."""

    def __init__(self, events: int) -> None:
        self.events = events
        self._lock = allocate_lock()

    def __call__(self, event: dict[str, object]) -> None:
        """Send one event in one piece. Raises ValueError if it is too large."""
        data = json.dumps(event).encode() + b"\n"
        if len(data) > LARGEST_EVENT:
            name = event.get("key") or event.get("name")
            raise ValueError(f"{name}: {len(data)} bytes of JSON, a step can hand over {LARGEST_EVENT} at once")
        with self._lock:
            write_all(self.events, data)

    def at_once(self, event: dict[str, Any]) -> None:
        """Send one event about a process. It takes no lock, so a fork may call it too. A long event is cut short."""
        data = json.dumps(event).encode() + b"\n"
        if len(data) > ATOMIC:
            more = len(event["argv"]) - 1
            data = json.dumps({**event, "argv": [event["argv"][0][:500], f"... {more} more"]}).encode() + b"\n"
        os.write(self.events, data)
