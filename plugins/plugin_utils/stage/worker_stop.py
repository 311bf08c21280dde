# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker of Ansible's that is told to end: by itself it would at once, and leave what it has started on its host."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, NoReturn, TypeVar

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError

TELLING = (
    signal.SIGUSR2
)  # from Ansible's main process to its workers: for those in a stage as SIGTERM, for others nothing
TOLD_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, TELLING)
INTERRUPTED = "the run was interrupted"

T = TypeVar("T")


class Stopped(BaseException):
    """What this process waits for is not worth waiting for any more; no Exception, since Ansible tries those again."""


class Interrupted(RackError):
    """The run is to end; the text says what has become of the host."""


class WorkerStop:
    """Whether this worker was told to end; `was_told` before its stage."""

    was_told = False

    def __init__(self) -> None:
        self.is_told = self.was_told

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Note the signals that end a run, instead of ending."""
        before = {number: signal.signal(number, self._take) for number in TOLD_BY}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait_for(self, work: Callable[[], T]) -> T:
        """Do what may take long, cut off by Stopped. Elsewhere nothing is cut off: results are written down."""
        if self.is_told:
            raise Stopped
        return work()

    def _take(self, _number: int, frame: FrameType | None) -> None:
        """Whether this came in the midst of a wait is asked of the stack: a note of it could be left behind.

        There are several signals in a row, and the second may cut off what the first has raised.
        """
        self.is_told = True
        while frame is not None:
            if frame.f_code is WorkerStop.wait_for.__code__:
                raise Stopped
            frame = frame.f_back


def let_tell() -> None:
    """In Ansible's main process: from now on its workers can be told."""
    main = os.getpid()

    def note(_number: int, _frame: Any) -> None:
        if os.getpid() != main:
            WorkerStop.was_told = True

    signal.signal(TELLING, note)


def tell(worker: BaseProcess) -> None:
    """Have it end its stage. SIGTERM would end others where they are, such as at the lock of Ansible's results."""
    if worker.pid:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, TELLING)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise Stopped in what takes longer. Ansible's own limit of a task is not heeded any more then."""

    def expire(_number: int, _frame: Any) -> NoReturn:
        raise Stopped

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def end_clients() -> None:
    """End what this worker has started here, such as an ssh client that waits for its host."""
    if multiprocessing.parent_process() is None or os.getpgrp() != os.getpid():
        return  # no worker of Ansible's, whose group is its own
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
