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
from ansible_collections.rack.recipes.plugins.module_utils.executor.capture import Capture
from ansible_collections.rack.recipes.plugins.module_utils.view import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from typing import Any, Callable

    Take = Callable[["Attempt", dict[str, Any]], None]

CHUNK = 65536
GRACE = 2.0
LEFT_IN_PIPES = 64  # reads after the end: a descendant that still prints must not hold the step up
SHOWN = 20000


class Attempt:
    """A running child. `take` receives each event (delta, measurement, ending) that it sends."""

    def __init__(self, number: int, timeout: float | None, take: Take) -> None:
        self.number = number
        self.stdout = Capture()
        self.stderr = Capture()
        self.ending: dict[str, Any] | None = None
        self.measurements: list[dict[str, Any]] = []
        self.stopped = ""
        self.exit_code = 0
        self.signal = 0
        self.pid = 0
        self.pipes: dict[int, Callable[[bytes], None]] = {}
        self._take = take
        self._partial = bytearray()
        self._timeout = timeout
        self._started = time.monotonic()
        self._time = now()
        self.deadline = self._started + timeout if timeout else None

    def start(self, stdin: bytes, folder: str, become: Callable[[child.Emit], None]) -> None:
        """Fork; the child calls `become`, which never returns."""
        data = _file_with(stdin)
        ends = [os.pipe() for _name in range(3)]
        self.pid = os.fork()
        if not self.pid:
            _enter(data, [write for _read, write in ends], folder, become)
        os.close(data)
        for (read, write), sink in zip(ends, (self.stdout.add, self.stderr.add, self._add_events)):
            os.close(write)
            os.set_blocking(read, False)
            self.pipes[read] = sink

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
        self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        for line in lines:
            self._take(self, json.loads(line))

    def stop(self, reason: str) -> None:
        """End the child's whole group: politely, and when called again by force."""
        number = signal.SIGKILL if self.stopped else signal.SIGTERM
        self.stopped = self.stopped or reason
        self.deadline = time.monotonic() + GRACE
        self._kill(number)

    def check_deadline(self) -> None:
        """Stop the child if its time is up."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.stop("timed out after %g s" % (self._timeout or 0))

    def _kill(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # the group is empty, or not ours any more

    def reap(self) -> resource.struct_rusage | None:
        """The child's resource usage once it has ended; its group is ended and its pipes are emptied then."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        self._kill(signal.SIGKILL)
        code = os.waitstatus_to_exitcode(status)
        self.exit_code, self.signal = (code, 0) if code >= 0 else (0, -code)
        for pipe in list(self.pipes):
            for _chunk in range(LEFT_IN_PIPES):
                if not self.read(pipe):
                    break
            os.close(pipe)
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


def _enter(stdin: int, writes: list[int], folder: str, become: Callable[[child.Emit], None]) -> None:
    try:
        child.enter(stdin, writes[0], writes[1], folder)
        become(child.emitter(writes[2]))
    except BaseException as error:
        os.write(2, ("cannot become the step: %s: %s\n" % (type(error).__name__, error)).encode())
    finally:
        os._exit(125)


def _file_with(data: bytes) -> int:
    """An anonymous file to read `data` from: unlike a pipe it takes any amount at once."""
    descriptor = os.memfd_create("stdin")
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
