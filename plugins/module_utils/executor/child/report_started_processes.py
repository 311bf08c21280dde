# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports to the executor the processes that a Python scriptlet starts, if the log of the run shows them.

Nothing that the scriptlet calls behaves differently. The audit hook sees the programs that `subprocess` starts, and
those that replace a process. Functions of `os` that start a process or wait for one are wrapped, since only they know
process numbers and exit codes.
"""

from __future__ import annotations

import functools
import os
import sys
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import posix_spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Emit = Callable[[dict[str, Any]], None]

SPAWNS = ("posix_spawn", "posix_spawnp")
WAITS = ("wait", "wait3", "wait4", "waitpid")
FORK = ("a fork of Python",)


class ProcessTrace:
    """Sends an event for each process that has ended, and for each program that replaces a process.

    Their `kind` is `process`. The event of an end has argument list, exit code and seconds. An event without `end` says
    which program a fork has become; it is sent by `emit_of_fork`, all others by `emit`.
    """

    def __init__(self, emit: Emit, emit_of_fork: Emit) -> None:
        self._emit = emit
        self._emit_of_fork = emit_of_fork
        self._running: dict[int, tuple[list[str], float]] = {}
        self._opened: list[tuple[Any, list[str], float]] = []  # a Popen learns its number only after the audit event

    def install(self) -> None:
        """Watch this process and its forks from now on. It cannot be undone."""
        for name in SPAWNS:
            setattr(os, name, self._wrap_spawn(getattr(os, name)))
        posix_spawn.posix_spawnp = os.posix_spawnp
        for name in WAITS:
            setattr(os, name, self._wrap_wait(getattr(os, name)))
        os.waitid = self._wrap_waitid(os.waitid)
        os.fork = self._wrap_fork(os.fork)
        setattr(os, "system", self._wrap_system(os.system))  # noqa: B010 - its type is that of one function
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            opened = sys._getframe(1).f_locals.get("self")
            self._opened.append((opened, _texts(arguments[1] or arguments[0]), time.monotonic()))
        elif event == "os.exec":
            self._emit_of_fork({"kind": "process", "pid": os.getpid(), "argv": _texts(arguments[1])})

    def _wrap_spawn(self, start: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(start)
        def wrapper(path: Any, argv: Any, *more: Any, **named: Any) -> int:
            started = time.monotonic()
            pid = start(path, argv, *more, **named)
            self._running[pid] = _texts(argv), started
            return pid

        return wrapper

    def _wrap_fork(self, fork: Callable[[], int]) -> Callable[[], int]:
        @functools.wraps(fork)
        def wrapper() -> int:
            pid = fork()
            if pid:
                self._running[pid] = list(FORK), time.monotonic()
            return pid

        return wrapper

    def _wrap_wait(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(wait)
        def wrapper(*arguments: Any) -> Any:
            found = wait(*arguments)
            if found[0]:
                self._ended(found[0], _end(found[1]))
            return found

        return wrapper

    def _wrap_waitid(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(wait)
        def wrapper(kind: int, number: int, options: int) -> Any:
            found = wait(kind, number, options)
            if found is not None and not options & os.WNOWAIT and options & os.WEXITED:
                is_exit = found.si_code == os.CLD_EXITED
                self._ended(found.si_pid, f"{'exit code' if is_exit else 'signal'} {found.si_status}")
            return found

        return wrapper

    def _wrap_system(self, system: Callable[[Any], int]) -> Callable[[Any], int]:
        @functools.wraps(system)
        def wrapper(command: Any) -> int:
            started = time.monotonic()
            status = system(command)
            self._tell(0, ["sh", "-c", *_texts([command])], started, _end(status))
            return status

        return wrapper

    def _ended(self, pid: int, end: str) -> None:
        self._name_opened()
        if pid in self._running:
            self._tell(pid, *self._running.pop(pid), end)

    def _name_opened(self) -> None:
        """Note the process numbers of what `subprocess` has started. It starts some of it by `os.posix_spawn`."""
        for opened, argv, started in self._opened:
            if getattr(opened, "pid", None):
                self._running[opened.pid] = argv, started
        self._opened = [each for each in self._opened if not hasattr(each[0], "pid")]

    def _tell(self, pid: int, argv: list[str], started: float, end: str) -> None:
        seconds = round(time.monotonic() - started, 6)
        self._emit({"kind": "process", "pid": pid, "argv": argv, "end": end, "seconds": seconds})

    def tell_running(self) -> None:
        """Send an event for each process whose end nobody has waited for."""
        self._name_opened()
        for pid, (argv, _started) in self._running.items():
            self._emit({"kind": "process", "pid": pid, "argv": argv, "end": ""})


def _texts(argv: Any) -> list[str]:
    """An argument list as texts. As for `subprocess`, a single text is a list of one."""
    words = [argv] if isinstance(argv, (str, bytes, os.PathLike)) else list(argv)
    return [os.fsdecode(word) if isinstance(word, (str, bytes, os.PathLike)) else str(word) for word in words]


def _end(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
