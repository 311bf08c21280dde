# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the steps of a stage for many hosts on this one machine, which is their delegate.

The request has what all hosts share, and under `hosts` what each of them has of its own. As many processes as
`at_once` says take one host after the other. They append to one journal, so the controller asks for all hosts at once.
"""

from __future__ import annotations

import json
import os
import re
import sys

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.start_process import marks_of_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import kill_processes
from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import (
    FOLDER_MODE,
    in_memory,
    read_next,
    shared_log,
    write_all,
)
from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import content_of, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Request = dict[str, Any]
    Run = Callable[[Request, str], None]

IMPORT = re.compile(rb"(?m)^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+))")
OWN = "ansible_collections.rack.recipes.plugins.module_utils."
WIDTH = 4  # bytes of a host's number
NOBODY = 2**32 - 1
KILLED = "the executor was killed on the delegate before this step ended"
NAMES_OF_HOSTS = "encodings.idna"  # which Python imports for the first name or address that is connected to
FOREIGN = ("site-packages", "dist-packages")


class Workers:
    """Processes that take one host after the other. A new process for each host would cost as much as its steps.

    `run` runs one request in this process, in a folder of its own below `work`. `describe` gives an error's reason.
    """

    def __init__(self, request: Request, work: str, run: Run, describe: Callable[[BaseException], str]) -> None:
        shared = {name: value for name, value in request.items() if name not in ("hosts", "at_once", "code")}
        self._shared = json.dumps(shared)  # as text: what one host changes in its context is no other host's
        self._hosts: list[Request] = request["hosts"]
        self._places = min(request["at_once"], len(self._hosts))
        self._work = work
        self._run = run
        self._describe = describe
        # All processes read from one place of this file, so each takes another host.
        self._waiting = in_memory(b"".join(map(_packed, range(len(self._hosts)))))
        self._current = os.memfd_create("rack")  # which host each process has
        self._lost = shared_log("rack")  # lines: the number of a host, and why its steps could not be run

    def run(self) -> dict[str, str]:
        """Run the steps for every host; returns, by host, why it could not be done, for those where it could not."""
        running = {self._start(place): place for place in range(self._places)}
        lost: dict[str, str] = {}
        while running:
            pid, is_killed = _first_ended()
            place = running.pop(pid)
            current = os.pread(self._current, WIDTH, place * WIDTH)
            number = int.from_bytes(current, "big") if is_killed else NOBODY
            if number != NOBODY:
                lost[self._hosts[number]["host"]] = KILLED
                running[self._start(place)] = place
        while (number := self._next()) != NOBODY:  # every process was killed before it could take a host
            lost[self._hosts[number]["host"]] = KILLED
        return {**lost, **self._told()}

    def _start(self, place: int) -> int:
        """Start a process for the hosts that wait. Returns its number."""
        os.pwrite(self._current, _packed(NOBODY), place * WIDTH)
        pid = os.fork()
        if not pid:
            try:
                while (number := self._next()) != NOBODY:
                    os.pwrite(self._current, _packed(number), place * WIDTH)
                    self._run_host(number)
                    os.pwrite(self._current, _packed(NOBODY), place * WIDTH)
            finally:
                os._exit(0)
        return pid

    def _run_host(self, number: int) -> None:
        work = os.path.join(self._work, str(number))
        try:
            os.mkdir(work, FOLDER_MODE)
            self._run({**json.loads(self._shared), **self._hosts[number]}, work)
        except BaseException as error:
            reason = self._describe(error).encode("utf-8", "backslashreplace").replace(b"\n", b" ")
            write_all(self._lost, b"%d %b\n" % (number, reason))
        os.chdir("/")
        remove(work)

    def _next(self) -> int:
        """The number of the next host that waits; NOBODY where none does."""
        data = read_next(self._waiting, WIDTH)
        return int.from_bytes(data, "big") if data else NOBODY

    def _told(self) -> dict[str, str]:
        """What the processes said before they took another host."""
        os.lseek(self._lost, 0, os.SEEK_SET)
        with open(self._lost, "rb") as file:
            told = (line.partition(b" ") for line in file.read().splitlines())
            return {self._hosts[int(number)]["host"]: reason.decode() for number, _blank, reason in told}


def _packed(number: int) -> bytes:
    return number.to_bytes(WIDTH, "big")


def _first_ended() -> tuple[int, bool]:
    """Wait until a process ends. Returns its number, and whether it was killed; then what it has left is killed too."""
    found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    pid = found.si_pid  # type: ignore[union-attr]  # only WNOHANG could give None
    is_killed = found.si_code != os.CLD_EXITED  # type: ignore[union-attr]
    if is_killed:
        kill_processes(marks_of_process(pid))  # while its number is not used again
    os.waitpid(pid, 0)
    return pid, is_killed


def import_once(request: Request, payload: str) -> None:
    """Import here what the Python scriptlets of a request import of the standard library, and of ours.

    Then the processes of a thousand hosts need not import it again. A scriptlet itself is never imported here, nor
    anything else: what it does may differ from host to host, take long, or fail.
    """
    steps = [step for own in (request, *request["hosts"]) for step in own.get("steps") or ()]
    modules = dict.fromkeys(step["module"] for step in steps if step.get("kind") == "python")
    wanted = dict.fromkeys(name for module in modules for name in _imported(_source(payload, module)))
    found, sys.path[:] = sys.path[:], [path for path in sys.path if _is_standard(path)]
    try:
        for name in wanted:
            _try_import(name)
        if "socket" in sys.modules:
            _try_import(NAMES_OF_HOSTS)
    finally:
        sys.path[:] = found


def _source(payload: str, module: str) -> bytes:
    try:
        return content_of(payload, f"{module.replace('.', '/')}.py")
    except OSError:  # the step says so
        return b""


def _imported(source: bytes) -> list[str]:
    names = [name for one, many in IMPORT.findall(source) for name in (one or many).decode().split(",")]
    return [name.split(None, 1)[0] for name in names if name.strip() and not name.strip().startswith(".")]


def _is_standard(path: str) -> bool:
    return path.startswith((sys.base_prefix, os.path.dirname(os.__file__))) and not any(map(path.__contains__, FOREIGN))


def _try_import(name: str) -> None:
    if name.startswith("ansible_collections.") and not name.startswith(OWN):
        return
    try:
        __import__(name)
    except Exception:  # the step that needs it says so
        return
