# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a worker of Ansible's is stopped in a stage.

By itself a worker ends at once when a signal comes, and leaves the steps that it has started running on its host. So it
only notes the signal, and then has the host end its steps.
"""

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

# Sent by Ansible's main process to its workers. In a stage it means the same as SIGTERM, elsewhere it does nothing.
STOP_SIGNAL = signal.SIGUSR2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, STOP_SIGNAL)
INTERRUPTED = "the run was interrupted"

T = TypeVar("T")


class Stopped(BaseException):
    """Raised out of a wait that is over. It is no Exception, since Ansible catches those and tries again."""


class Interrupted(RackError):
    """The run is to end. The text says what has become of the host."""


class WorkerStop:
    """Whether this worker is to stop. `was_requested` says so for the time before its stage began."""

    was_requested = False

    def __init__(self) -> None:
        self.is_requested = self.was_requested

    @contextmanager
    def catch_signals(self) -> Iterator[None]:
        """Only note the signals that end a run, instead of ending."""
        before = {number: signal.signal(number, self._receive) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait_for(self, work: Callable[[], T]) -> T:
        """Do work that may take long. Raises Stopped as soon as a signal comes.

        Outside of this method a signal interrupts nothing, so that results are written down.
        """
        if self.is_requested:
            raise Stopped
        return work()

    def _receive(self, _number: int, frame: FrameType | None) -> None:
        """Note the signal, and raise Stopped where it has interrupted `wait_for`.

        The stack shows whether it has. A flag that `wait_for` sets and clears would not do: signals come in a row, and
        a second one may interrupt what handles the first.
        """
        self.is_requested = True
        while frame is not None:
            if frame.f_code is WorkerStop.wait_for.__code__:
                raise Stopped
            frame = frame.f_back


def enable_stop_signal() -> None:
    """Called in Ansible's main process: its workers, once forked, note the stop signal from their start."""
    main = os.getpid()

    def note(_number: int, _frame: Any) -> None:
        if os.getpid() != main:
            WorkerStop.was_requested = True

    signal.signal(STOP_SIGNAL, note)


def stop_worker(worker: BaseProcess) -> None:
    """Have a worker end its stage. SIGTERM would kill a worker outside of a stage, even one that holds a lock."""
    if worker.pid:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, STOP_SIGNAL)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise Stopped in work that takes longer. This replaces the alarm by which Ansible limits a task's time."""

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
    """End the processes that this worker has started here, such as an ssh client that waits for its host."""
    if multiprocessing.parent_process() is None or os.getpgrp() != os.getpid():
        return  # this is no worker of Ansible's: a worker has a process group of its own
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
