# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists the processes that a step starts, for the log of a run.

The kernel tells which processes a program starts. For a Python class, hooks inside of its process tell it.

Nothing that the scriptlet calls behaves differently. The audit hook sees the programs that `subprocess` starts, and
those that replace a process. Functions of `os` that start a process or wait for one are wrapped, since only they know
process numbers and exit codes.

The source is Linux's process events connector (include/uapi/linux/cn_proc.h). The kernel serves it outside of
containers: to root, and since Linux 6.6 to every user. It changes nothing about the processes. It does not tell their
argument lists, so these are read from /proc, at once and in a process of their own.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import select
import signal
import struct
import sys
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, Callable, NoReturn

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import Emit
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Event

SPAWNS = ("posix_spawn", "posix_spawnp")
WAITS = ("wait", "wait3", "wait4", "waitpid")
PYTHON_FORK = ("a fork of Python",)


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
        start_process.posix_spawnp = os.posix_spawnp
        for name in WAITS:
            setattr(os, name, self._wrap_wait(getattr(os, name)))
        os.waitid = self._wrap_waitid(os.waitid)
        os.fork = self._wrap_fork(os.fork)
        setattr(os, "system", self._wrap_system(os.system))  # noqa: B010 - its type is that of one function
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen":
            opened = sys._getframe(1).f_locals.get("self")
            self._opened.append((opened, _texts(arguments[1] or arguments[0]), time.monotonic()))
        elif event == "os.exec":
            self._emit_of_fork({"kind": "process", "pid": os.getpid(), "argv": _texts(arguments[1])})

    def _wrap_spawn(self, start: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(start)
        def wrapper(path: object, argv: object, *more: Any, **named: Any) -> int:
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
                self._running[pid] = list(PYTHON_FORK), time.monotonic()
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
        def wrapper(command: object) -> int:
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


NETLINK_CONNECTOR, PROCESS_EVENTS = 11, 1  # linux/netlink.h; the connector's index and value, and its multicast group
LISTEN, DONE = 1, 3  # of cn_proc.h; NLMSG_DONE of linux/netlink.h
HEADERS = struct.Struct("=IHHII IIIIHH")  # struct nlmsghdr, struct cn_msg
HEAD = struct.Struct("=IIQ")  # of struct proc_event: what, cpu, nanoseconds
FORK, EXEC, EXIT = 1, 2, 0x80000000
FORKED, EXECUTED, EXITED = struct.Struct("=IIII"), struct.Struct("=II"), struct.Struct("=III")
ROOM = 4 << 20  # bytes of events that wait to be read
PATIENCE = 2.0  # seconds in which the observer must answer
NANOSECOND = 1e-9
UNKNOWN = ["(ended before its arguments were read)"]


class ProcessObserver:
    """A process that listens to the kernel while the steps of a stage run. It ends with this object's `close`.

    `is_listening` is false where the kernel tells it nothing.
    """

    def __init__(self) -> None:
        import socket  # slow to load, and the child of a Python class does without

        self._ours, theirs = socket.socketpair()
        executor = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            _observe(theirs, executor)
        theirs.close()
        self._ours.settimeout(PATIENCE)
        self.is_listening = self._answer() == "ready"

    def processes(self, pid: int) -> list[Event]:
        """What the child `pid`, which has ended, has started: an event for each process, in the order of their ends.

        They are like those of `ProcessTrace`. What still runs comes last, without an end.
        """
        try:
            self._ours.sendall(struct.pack("=I", pid))
        except OSError:
            return []
        return self._answer() or []

    def _answer(self) -> Any:
        """The next line of the observer; None where there is none in time."""
        line = bytearray()
        try:
            while not line.endswith(b"\n"):
                data = self._ours.recv(65536)
                if not data:
                    return None
                line += data
        except OSError:
            return None
        return json.loads(line)

    def close(self) -> None:
        """End the observer."""
        self._ours.close()
        os.waitpid(self._pid, 0)


def _observe(executor_end: socket.socket, executor: int) -> NoReturn:
    """In the observer: listen and answer until the executor closes its end."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the executor ends it, after its steps
        hard = resource.getrlimit(MARK)[1]
        resource.setrlimit(MARK, (hard, hard))  # it is no process of a step
        _keep_only(executor_end.fileno())
        _serve(executor_end, executor)
    finally:
        os._exit(0)


def _keep_only(descriptor: int) -> None:
    """Close what the executor has open: a pipe that two processes hold would not end with its reader."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))


def _serve(executor_end: socket.socket, executor: int) -> None:
    kernel = _subscribed()
    executor_end.sendall(json.dumps("ready" if kernel else "refused").encode() + b"\n")
    if kernel is None:
        return
    family = ProcessFamily(executor)
    while True:
        ready = select.select([kernel, executor_end], [], [])[0]
        if kernel in ready:
            _take(kernel, family)
        if executor_end in ready:
            asked = executor_end.recv(4)
            if len(asked) < 4:
                return
            _take(kernel, family)  # the kernel told of the end before the executor learned of it
            answer = family.started_by(struct.unpack("=I", asked)[0])
            executor_end.sendall(json.dumps(answer).encode() + b"\n")


def _subscribed() -> socket.socket | None:
    """A socket with the events of all processes from now on; None where the kernel refuses it, or never answers."""
    import socket

    try:
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        kernel.bind((0, PROCESS_EVENTS))
        wish = struct.pack("=I", LISTEN)
        size = HEADERS.size + len(wish)
        kernel.send(HEADERS.pack(size, DONE, 0, 0, os.getpid(), 1, PROCESS_EVENTS, 0, 0, len(wish), 0) + wish)
    except OSError:
        return None
    kernel.setblocking(False)
    return kernel if select.select([kernel], [], [], PATIENCE / 2)[0] else None  # it acknowledges, but in no container


def _take(kernel: socket.socket, family: ProcessFamily) -> None:
    """Take all events that wait."""
    while True:
        try:
            message = kernel.recv(4096)
        except BlockingIOError:
            return
        except OSError:  # more than there was room for
            family.has_missed = True
            continue
        family.add(message[HEADERS.size :])


class _Process:
    """A process below a step's own. `argv` is empty until it runs a program of its own."""

    __slots__ = ("argv", "of", "root", "started")

    def __init__(self, root: int, started: int, of: list[str]) -> None:
        self.root = root
        self.started = started
        self.of = of
        self.argv: list[str] = []


class ProcessFamily:
    """The descendants of the executor, from events of the kernel. Its children are the roots: the steps' own processes.

    `has_missed` says that there were more events than could be read.
    """

    def __init__(self, executor: int) -> None:
        self.has_missed = False
        self._executor = executor
        self._running: dict[int, _Process] = {}
        self._ended: dict[int, list[Event]] = {}  # by root

    def add(self, event: bytes) -> None:
        """Take one `struct proc_event`. Threads are no processes and are passed over."""
        what, _cpu, moment = HEAD.unpack_from(event)
        body = event[HEAD.size :]
        if what == FORK:
            _parent_thread, parent, thread, pid = FORKED.unpack_from(body)
            if thread == pid:
                self._fork(parent, pid, moment)
        elif what == EXEC:
            pid = EXECUTED.unpack_from(body)[1]
            if pid in self._running:
                self._running[pid].argv = _argument_list(pid)
        elif what == EXIT:
            thread, pid, status = EXITED.unpack_from(body)
            if thread == pid and pid in self._running:
                self._exit(pid, moment, status)

    def _fork(self, parent: int, pid: int, moment: int) -> None:
        if parent == self._executor:
            self._running[pid] = _Process(pid, moment, [])
        elif parent in self._running:
            above = self._running[parent]
            self._running[pid] = _Process(above.root, moment, above.argv or above.of)

    def _exit(self, pid: int, moment: int, status: int) -> None:
        process = self._running.pop(pid)
        if pid != process.root:
            figures = {"end": _end(status), "seconds": round((moment - process.started) * NANOSECOND, 6)}
            self._ended.setdefault(process.root, []).append({**_event(pid, process), **figures})

    def started_by(self, root: int) -> list[Event]:
        """The processes that a step's own process has started. They are forgotten here, except those that still run."""
        running = [_event(pid, process) for pid, process in self._running.items() if process.root == root != pid]
        missed = [{"kind": "process", "pid": 0, "argv": ["(more than could be noted)"], "end": ""}]
        return [*self._ended.pop(root, []), *({**one, "end": ""} for one in running), *missed * self.has_missed]


def _event(pid: int, process: _Process) -> Event:
    argv = process.argv or [f"a fork of {process.of[0]}" if process.of else "a fork"]
    return {"kind": "process", "pid": pid, "argv": argv}


def _argument_list(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")[:-1]
    except OSError:
        return UNKNOWN
    return [word.decode("utf-8", "backslashreplace") for word in words] or UNKNOWN
