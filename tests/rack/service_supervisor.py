# SPDX-License-Identifier: GPL-3.0-or-later

"""Run server processes for a process that needs them, and end all of them with it.

A `Supervisor` starts this file as a process of its own. That process starts the servers, and ends every process that
came from them when it is told to, when it gets SIGTERM, or when its owner is gone, however the owner ended. It also
finds processes that left their parent: each server is the "child subreaper" of its own descendants (prctl(2)), and the
supervisor is that of all servers.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE = 10.0  # seconds
KILL_LIMIT = 60.0  # seconds; a killed process ends when the disk has taken what it was writing
STATE = "state.json"
_CLAIMS: deque[int] = deque()  # file descriptors, one a port that was given
MOST_CLAIMS = 64  # by then, the oldest one's server listens
_libc = ctypes.CDLL(None, use_errno=True)


class ServiceError(Exception):
    """A server is not installed, does not start, or does not end. The message says what to do."""


def program(name: str, package: str) -> str:
    """The absolute path of a program, also where a plain user's PATH lacks the folder of the servers."""
    path = shutil.which(name, path=os.pathsep.join((*os.get_exec_path(), "/usr/sbin", "/sbin")))
    if not path:
        raise ServiceError(f"{name} is not installed: install the package {package} (apt-get install {package})")
    return str(Path(path).absolute())


def user() -> str:
    """The name of the user that runs this process."""
    return pwd.getpwuid(os.geteuid()).pw_name


def free_port(address: str) -> int:
    """A port of `address` that nobody listens on, below those that the kernel hands to outgoing connections.

    No other process of these tests gets it while the server that it is for is being made.
    """
    for port in random.sample(range(20000, 32000), 100):
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, contextlib.suppress(OSError):
            claim.bind(f"\0rack port {address} {port}")
            probe.bind((address, port))
            _CLAIMS.append(claim.detach())
            if len(_CLAIMS) > MOST_CLAIMS:
                os.close(_CLAIMS.popleft())
            return port
        claim.close()
    raise ServiceError(f"no free port between 20000 and 32000 on {address}")


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat that follow the command's name: state, parent, ...; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def start_time(pid: int) -> int:
    """When the process started, in clock ticks since the machine's; 0 when it is gone or a zombie."""
    fields = stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else 0


def children() -> dict[int, list[int]]:
    """The living children of each process that has any."""
    found: dict[int, list[int]] = {}
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        fields = stat(pid)
        if fields and fields[0] not in "ZX":
            found.setdefault(int(fields[1]), []).append(pid)
    return found


def descendants(root: int, leave_out: frozenset[int] = frozenset()) -> list[int]:
    """Every living process that came from `root`, but for the trees of `leave_out`."""
    family = children()
    found: list[int] = []
    waiting = [root]
    while waiting:
        born = [pid for pid in family.get(waiting.pop(), ()) if pid not in leave_out]
        found += born
        waiting += born
    return found


class Supervisor:
    """The side of the owner, the process that needs the servers.

    `folder` gets `state.json` and `supervisor.log`. A temporary folder is removed in the end.
    `argv[0]` of a service is an absolute path.
    """

    def __init__(self, folder: Path, *, temporary: bool = False) -> None:
        self.folder = folder
        words = (Path(__file__).absolute(), os.getpid(), folder.absolute(), "temporary" if temporary else "kept")
        command = [sys.executable, "-I", "-S", *map(str, words)]
        pipe = subprocess.PIPE
        with (folder / "supervisor.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=pipe,
                stderr=log,
                cwd="/",
                start_new_session=True,
                text=True,
            )

    def start(self, services: Mapping[str, Sequence[str]]) -> None:
        """Start each service. The caller has to check whether it lives."""
        self._ask("start", services)

    def kill(self, names: Sequence[str]) -> None:
        """SIGKILL to these services and all that came from them; returns when they are gone."""
        self._ask("kill", names)

    def end(self, names: Sequence[str]) -> None:
        """SIGTERM to these services, SIGKILL after `GRACE` seconds and to all that came from them."""
        self._ask("end", names)

    def pids(self) -> dict[str, int]:
        """The living services."""
        return self._ask("pids")

    def detach(self) -> None:
        """Let the services outlive this process. `stop(folder)` ends them."""
        self._ask("detach")

    def close(self) -> None:
        """End all, and wait until nothing is left."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            self.process.wait(GRACE + KILL_LIMIT)
        except subprocess.TimeoutExpired:
            raise ServiceError(f"process {self.process.pid} does not end: {self.folder}/supervisor.log") from None

    def _ask(self, do: str, about: Mapping[str, Sequence[str]] | Sequence[str] = ()) -> dict[str, int]:
        assert self.process.stdin
        assert self.process.stdout
        try:
            print(json.dumps([do, about]), file=self.process.stdin, flush=True)
            answer: dict[str, int] = json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            raise ServiceError(f"process {self.process.pid} ended: {self.folder}/supervisor.log") from None
        return answer


def running(folder: Path) -> int:
    """The supervisor of `folder`, its process id; 0 when none runs."""
    with contextlib.suppress(FileNotFoundError):
        pid, started = json.loads((folder / STATE).read_text())["supervisor"]
        if start_time(pid) == started:
            return int(pid)
    return 0


def stop(folder: Path) -> None:
    """End the services that a process, which is gone, has started in `folder`. Wait until none is left."""
    pid = running(folder)
    if not pid:
        return
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            if not select.select([handle], [], [], GRACE + KILL_LIMIT)[0]:
                raise ServiceError(f"process {pid} does not end: {folder}/supervisor.log")
        finally:
            os.close(handle)


class _Services:
    """The side of the supervisor's own process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pids: dict[str, int] = {}

    def serve(self, owner: int) -> None:
        """Read the owner's commands, one a line, and obey them, until the owner closes the pipe or is gone."""
        with contextlib.suppress(ProcessLookupError):
            watch = os.pidfd_open(owner)
            while sys.stdin in select.select([sys.stdin, watch], [], [])[0] and (line := sys.stdin.readline()):
                do, about = json.loads(line)
                calls: dict[str, Callable[[Any], None]] = {"start": self.start, "kill": self.kill, "end": self.end}
                calls.get(do, lambda _: None)(about)
                self._write_state()
                print(json.dumps(self.living()), flush=True)
                while do == "detach":
                    signal.pause()

    def start(self, services: Mapping[str, Sequence[str]]) -> None:
        for name, argv in services.items():
            self.pids[name] = self._spawn(name, argv)

    def kill(self, names: Sequence[str]) -> None:
        for name in names:
            self.pids.pop(name, None)
        self.sweep()

    def end(self, names: Sequence[str]) -> None:
        ending = {name: pid for name, pid in self.living().items() if name in names}
        for pid in ending.values():
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while ending.keys() & self.living().keys() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill(names)

    def living(self) -> dict[str, int]:
        mine = children().get(os.getpid(), ())
        return {name: pid for name, pid in self.pids.items() if pid in mine}

    def sweep(self) -> None:
        """SIGKILL to all but the services of `self.pids` and what came from those."""
        deadline = time.monotonic() + KILL_LIMIT
        while doomed := descendants(os.getpid(), frozenset(self.pids.values())):
            if time.monotonic() > deadline:
                raise ServiceError(f"these processes do not end: {doomed}")
            for pid in doomed:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)

    def _spawn(self, name: str, argv: Sequence[str]) -> int:
        supervisor = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            self._become(name, argv, supervisor)
        finally:
            os._exit(127)

    def _become(self, name: str, argv: Sequence[str], supervisor: int) -> None:
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() == supervisor:  # else it died before the line above
            log = os.open(self.folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.execv(argv[0], list(argv))

    def _write_state(self) -> None:
        services = {name: (pid, start_time(pid)) for name, pid in self.living().items()}
        state = {"supervisor": (os.getpid(), start_time(os.getpid())), "services": services}
        draft = self.folder / f"{STATE}.new"
        draft.write_text(json.dumps(state, indent=1) + "\n")
        draft.replace(self.folder / STATE)


def main() -> None:
    """Arguments: the owner's process id, the folder, whether it is "temporary" or "kept"."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):  # an ignored SIGCHLD leaves no zombies
        signal.signal(number, signal.SIG_IGN)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    owner, folder, kind = sys.argv[1:]
    services = _Services(Path(folder))
    try:
        services.serve(int(owner))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        services.kill(list(services.pids))
        if kind == "temporary":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
