# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One try of one step, seen from outside: a child in a session of its own, its pipes, its deadline, its end."""

from __future__ import annotations

import json
import os
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor import child
from ansible_collections.rack.recipes.plugins.module_utils.executor.capture import Capture, Lines
from ansible_collections.rack.recipes.plugins.module_utils.executor.descriptors import in_memory, write_all
from ansible_collections.rack.recipes.plugins.module_utils.executor.spawn import spawn
from ansible_collections.rack.recipes.plugins.module_utils.view import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from collections.abc import Callable
    from typing import Any, NoReturn

    from ansible_collections.rack.recipes.plugins.module_utils.executor.launch import Program

    Event = dict[str, Any]

CHUNK = 65536
GRACE = 2.0  # seconds from TERM to KILL
LEFT_IN_PIPES = 64  # reads after the end: a descendant that still prints must not hold the step up
SHOWN = 20000


class Attempt:
    """A running child. `change` receives each change of the context that it makes."""

    def __init__(self, number: int, timeout: float | None, change: Callable[[Attempt, Event], None]) -> None:
        self.number = number
        self.stdout = Capture()
        self.stderr = Capture()
        self.ending: Event | None = None
        self.measurements: list[Event] = []
        self.stopped = ""
        self.exit_code = 0
        self.signal = 0
        self.pid = 0
        self.pipes: dict[int, Callable[[bytes], None]] = {}
        self._change = change
        self._events = Lines(self._take_line, child.LARGEST_EVENT)
        self._heard = True
        self._measured = 0
        self._timeout = timeout
        self._time = now()
        self._started = time.monotonic()
        self.deadline = self._started + timeout if timeout else None

    def start(self, stdin: bytes, program: Program) -> None:
        """Start the child. Raises OSError where this host has no room for it or not the program, or ValueError."""
        opened: list[int] = []
        try:
            opened.append(in_memory(stdin))
            for _stream in range(3):
                opened += os.pipe()
            self.pid = _started(program, opened)
        except (OSError, ValueError):
            _close(opened)
            raise
        _close([opened[0], *opened[2::2]])
        self.pipes = dict(zip(opened[1::2], (self.stdout.add, self.stderr.add, self._add_events)))
        for pipe in self.pipes:
            os.set_blocking(pipe, False)

    def read(self, pipe: int) -> bool:
        """Take what one pipe holds now; False once it is at its end, or empty."""
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            return False
        if data:
            self.pipes[pipe](data)
        return bool(data)

    def _add_events(self, data: bytes) -> None:
        if not self._heard:
            return
        try:
            self._events.add(data)
        except ValueError as error:
            self._heard = False
            self.stop(f"stopped: it sent {error}")

    def _take_line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind = event["kind"]
        except (ValueError, LookupError, TypeError):
            raise ValueError(f"what is no event: {line[:80]!r}") from None
        if kind == "measurement":
            self._measured += len(line)
        if self._measured > child.LARGEST_EVENT:
            raise ValueError(f"more than {child.LARGEST_EVENT} bytes of measurements")
        self.take(event)

    def take(self, event: Event) -> None:
        """Take what the step, or its envelope, has to tell."""
        kind = event.pop("kind")
        if kind == "ending":
            self.ending = event
        elif kind == "measurement":
            self.measurements.append(event)
        else:
            self._change(self, event)

    def stop(self, reason: str) -> None:
        """End the child's whole group: politely, and when called again by force."""
        number = signal.SIGKILL if self.stopped else signal.SIGTERM
        self.stopped = self.stopped or reason
        self.deadline = time.monotonic() + GRACE
        self.kill(number)

    def check_deadline(self) -> None:
        """Stop the child if its time is up."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.stop(f"timed out after {self._timeout or 0:g} s")

    def kill(self, number: int) -> None:
        """Send a signal to the child's group, or to the child where it has no group yet."""
        _sent(os.killpg, self.pid, number) or _sent(os.kill, self.pid, number)

    def has_ended(self) -> bool:
        """Whether the child is no more, whoever holds its pipes; it stays a zombie, so its number is not reused."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def finish(self) -> resource.struct_rusage:
        """After the child's end: end its group, empty its pipes, and tell what it has used."""
        self.kill(signal.SIGKILL)
        for pipe in self.pipes:
            for _chunk in range(LEFT_IN_PIPES):
                if not self.read(pipe):
                    break
        _close(list(self.pipes))
        _pid, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.exit_code, self.signal = (code, 0) if code >= 0 else (0, -code)
        return usage

    def record(self, verdict: str, reason: str, usage: resource.struct_rusage) -> dict[str, Any]:
        """What is kept of this attempt: times in seconds, memory in KiB, blocks of 512 bytes."""
        return {
            "verdict": verdict,
            "reason": reason,
            "started": self._time,
            "seconds": round(time.monotonic() - self._started, 6),
            "exit_code": self.exit_code,
            "signal": self.signal,
            "user_sec": round(usage.ru_utime, 6),
            "system_sec": round(usage.ru_stime, 6),
            "max_rss_kib": usage.ru_maxrss,
            "in_blocks": usage.ru_inblock,
            "out_blocks": usage.ru_oublock,
            "voluntary_switches": usage.ru_nvcsw,
            "involuntary_switches": usage.ru_nivcsw,
            "stdout": self.stdout.text(SHOWN),
            "stderr": self.stderr.text(SHOWN),
        }


def _started(program: Program, opened: list[int]) -> int:
    if isinstance(program, tuple):
        return spawn(*program, dict(enumerate(opened[0:5:2])), child.IGNORED, session=True)
    pid = os.fork()
    if not pid:
        _become(program, opened)
    return pid


def _sent(send: Callable[[int, int], None], target: int, number: int) -> bool:
    try:
        send(target, number)
    except OSError:  # gone, or become somebody else's, such as a child that became sudo
        return False
    return True


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _become(program: Callable[[child.Emit], NoReturn], opened: list[int]) -> NoReturn:
    """In the child: take the pipes' other ends as streams and never come back."""
    stdin, stdout, stderr, events = opened[0], *opened[2::2]
    try:
        child.enter(stdin, stdout, stderr)
        program(child.emitter(events))
    except BaseException as error:
        write_all(2, f"cannot become the step: {type(error).__name__}: {error}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(125)
