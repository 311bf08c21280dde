# SPDX-License-Identifier: GPL-3.0-or-later

"""Run commands beside each other, but not too many: each more takes the others' caches, and all take longer."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

# Parts of the tests wait for more than half of their time. With three for each core, tests of deadlines failed.
AT_ONCE = 2 * len(os.sched_getaffinity(0)) + 1
PROGRESS_SECONDS = 30.0
LOOK_SECONDS = 0.1
PERCENT = re.compile(rb"\[ *(\d+)%\]")
TAIL = 4096


class Job:
    """A command that runs; what it prints is kept until it has ended."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        self._started = time.monotonic()
        self._used: resource.struct_rusage | None = None
        self.process = subprocess.Popen(command, stdout=self._said, stderr=subprocess.STDOUT)

    def is_over(self) -> bool:
        """Whether the command has ended, without waiting for it."""
        return self._wait(os.WNOHANG)

    def progress(self) -> str:
        """Its name, and how far pytest says that it is."""
        number = self._said.fileno()
        found = PERCENT.findall(os.pread(number, TAIL, max(0, os.fstat(number).st_size - TAIL)))
        return f"{self.name} {found[-1].decode()} %" if found else self.name

    def end(self, out: IO[bytes]) -> int:
        """Wait for its end, show what it has printed, and return its exit code."""
        self._wait(0)
        code = self.process.wait()
        self._said.seek(0)
        shutil.copyfileobj(self._said, out)
        self._said.close()
        how = "passed" if code == 0 else f"FAILED (exit code {code})"
        cpu = self._used.ru_utime + self._used.ru_stime if self._used else 0.0
        out.write(f"{self.name}: {how} in {time.monotonic() - self._started:.0f} s, CPU {cpu:.0f} s\n".encode())
        out.flush()
        return code

    def _wait(self, options: int) -> bool:
        """Whether it is over; keep what it and its own children have used, which `Popen` does not tell."""
        if self.process.returncode is None:
            pid, status, used = os.wait4(self.process.pid, options)
            if pid:
                self.process.returncode, self._used = os.waitstatus_to_exitcode(status), used
        return self.process.returncode is not None


def run_all(jobs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Run commands in their order, AT_ONCE at a time; returns their exit codes.

    What a command prints is shown once it has ended; meanwhile a line tells how far those are that run. SIGINT and
    SIGTERM end those that run. Raises KeyboardInterrupt then.
    """
    sys.stdout.flush()
    out = sys.stdout.buffer
    waiting, running, codes = list(jobs.items()), list[Job](), dict[str, int]()
    told = time.monotonic()
    with heard_signals() as signals:
        try:
            while (waiting or running) and not signals:
                while waiting and len(running) < AT_ONCE:
                    running.append(Job(*waiting.pop(0)))
                for job in [job for job in running if job.is_over()]:
                    running.remove(job)
                    codes[job.name] = job.end(out)
                if running and time.monotonic() - told > PROGRESS_SECONDS:
                    told = time.monotonic()
                    out.write(f"running: {', '.join(job.progress() for job in running)}\n".encode())
                    out.flush()
                time.sleep(LOOK_SECONDS)
        finally:
            for job in running:
                if not job.is_over():
                    job.process.terminate()
            for job in running:
                codes[job.name] = job.end(out)
        if signals:
            raise KeyboardInterrupt
    return codes


@contextmanager
def heard_signals() -> Iterator[list[int]]:
    """Note signals meanwhile, so that none comes while a command is being started. What is ignored stays ignored."""
    signals: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, lambda heard, _frame: signals.append(heard))
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
