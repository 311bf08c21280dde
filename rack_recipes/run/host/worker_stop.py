# SPDX-License-Identifier: GPL-3.0-or-later

"""How a worker of Ansible's is stopped in a stage, by a signal or where its host gives no answer.

By itself a worker ends at once when a signal comes, and leaves the steps that it has started running on its host. So it
only notes the signal, and then has the host end its steps.

Nor does it ever stop waiting by itself: Ansible waits for its ssh client without a limit of time or size.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar

from rack_recipes.errors import RackError

# Sent by Ansible's main process to its workers. In a stage it means the same as SIGTERM, elsewhere it does nothing.
STOP_SIGNAL = signal.SIGUSR2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, STOP_SIGNAL)
INTERRUPTED = "the run was interrupted"
TICK = 0.5  # seconds between two looks at an answer that is waited for
SLOWEST = 64 * 1024  # bytes a second that a connection carries at least
MIB = 1024 * 1024
LARGEST = 64 * MIB  # bytes of one answer: more than a host sends at once, and the largest record of a step

T = TypeVar("T")


class Stopped(BaseException):
    """Raised out of a wait that is over. It is no Exception, since Ansible catches those and tries again."""


class NoAnswer(BaseException):
    """Raised out of a wait for a host that gives no answer; the text is the end of such a sentence."""


class Interrupted(RackError):
    """The run is to end. The text says what has become of the host."""


class HostWait(Protocol):
    """How a stage waits for its host: in a process of its own (WorkerStop), or in one of many threads (HostThread)."""

    @property
    def is_requested(self) -> bool:
        """Whether the stage is to stop."""

    @property
    def longest_answer(self) -> float:
        """For how many seconds a host may delay an answer."""

    def wait_for(self, work: Callable[[], T]) -> T:
        """Do work that may take long. Raises Stopped where the stage is to stop."""

    def within(self, limit: AnswerLimit, work: Callable[[], T]) -> T:
        """Do work that waits for a host. Raises NoAnswer where it takes longer than the limit, or brings more."""

    def sleep(self, seconds: float) -> None:
        """Sleep, so that others may go on."""

    def admitted(self, name: str, number: int) -> AbstractContextManager[None]:
        """Wait until fewer than `number` others of this process are within a block of this name. Raises Stopped."""

    def before_poll(self, seconds: float) -> float:
        """For how many seconds to leave a host alone whose stage has run for `seconds`."""

    def end_clients(self) -> None:
        """End the processes that were started here for the host, such as an ssh client that waits for it."""


class WorkerStop:
    """Whether this worker is to stop. `was_requested` says so for the time before its stage began."""

    was_requested = False
    longest_answer = math.inf

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

    def within(self, limit: AnswerLimit, work: Callable[[], T]) -> T:
        """Do work that waits for a host. Raises NoAnswer where it takes longer than the limit, or brings more."""
        return AlarmedWait(limit).wait_for(work)

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def admitted(self, _name: str, _number: int) -> AbstractContextManager[None]:
        """At once: a process has one host."""
        return nullcontext()

    def before_poll(self, _seconds: float) -> float:
        """None: a host that is asked delays its answer."""
        return 0.0

    def end_clients(self) -> None:
        """End the processes that this worker has started here."""
        end_clients()

    def _receive(self, _number: int, frame: FrameType | None) -> None:
        """Note the signal, and raise Stopped where it has interrupted `wait_for`."""
        self.is_requested = True
        if _is_inside(frame, WorkerStop.wait_for):
            raise Stopped


def enable_stop_signal() -> None:
    """Called in Ansible's main process: its workers, once forked, note the stop signal from their start."""
    main = os.getpid()

    def note(_number: int, _frame: object) -> None:
        if os.getpid() != main:
            WorkerStop.was_requested = True

    signal.signal(STOP_SIGNAL, note)


def stop_worker(worker: BaseProcess) -> None:
    """Have a worker end its stage. SIGTERM would kill a worker outside of a stage, even one that holds a lock."""
    if worker.pid:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, STOP_SIGNAL)


@dataclass(frozen=True, slots=True)
class AnswerLimit:
    """A host's answer may take `seconds`, and have `most` bytes.

    A host that sends gets the more time, one second for each `rate` bytes.
    """

    seconds: float
    most: int = LARGEST
    rate: float = SLOWEST

    @property
    def tick(self) -> float:
        """The seconds between two looks."""
        return min(TICK, self.seconds)

    def objection(self, ticks: int, came: int) -> str:
        """What is wrong after so many looks and bytes, as the end of a sentence; empty while nothing is."""
        if came > self.most:
            return f"that ends: {self.most // MIB} MiB have come"
        return f"within {round(self.seconds, 1):g} s" if ticks * self.tick >= self.seconds + came / self.rate else ""


class AlarmedWait:
    """Ends a wait for a host that is beyond its limit.

    Only the time in which this worker runs counts: one that was suspended finds its host's answer when it goes on.

    It looks at each tick, by the alarm with which Ansible limits a task's time. So an answer that comes before costs
    next to nothing. An earlier alarm keeps its time.
    """

    def __init__(self, limit: AnswerLimit) -> None:
        self._limit = limit
        self._ticks = 0

    def wait_for(self, work: Callable[[], T]) -> T:
        """Do work that waits for a host. Raises NoAnswer."""
        self._had_read = bytes_read()
        self._before = signal.signal(signal.SIGALRM, self._look)
        self._left = signal.setitimer(signal.ITIMER_REAL, self._limit.tick, self._limit.tick)[0]
        self._began = time.monotonic()
        try:
            return self._work(work)
        finally:
            left = max(0.001, self._time_left()) if self._left else 0
            signal.setitimer(signal.ITIMER_REAL, left)
            signal.signal(signal.SIGALRM, self._before)

    def _work(self, work: Callable[[], T]) -> T:
        return work()

    def _time_left(self) -> float:
        """The seconds until the earlier alarm."""
        return self._left - (time.monotonic() - self._began)

    def _look(self, number: int, frame: FrameType | None) -> None:
        """End the processes that the work waits for, and then the work. Where the exception is lost, do it again."""
        self._ticks += 1
        if self._left and self._time_left() <= 0 and callable(self._before):
            self._left = 0
            self._before(number, frame)
        came = bytes_read() - self._had_read
        if _is_inside(frame, AlarmedWait._work) and (reason := self._limit.objection(self._ticks, came)):
            end_clients()
            raise NoAnswer(reason)


def bytes_read(thread: int = 0) -> int:
    """How many bytes this process, or one of its threads, has read so far, from files and pipes.

    0 where the system does not tell.
    """
    try:
        return int(Path(f"/proc/self/task/{thread}/io" if thread else "/proc/self/io").read_bytes().split()[1])
    except (OSError, IndexError):
        return 0


def _is_inside(frame: FrameType | None, function: Callable[..., Any]) -> bool:
    """Whether a function has led to this frame.

    A flag that the function sets and clears would not do: signals come in a row, and a second one may interrupt what
    handles the first.
    """
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None


def end_clients() -> None:
    """End the processes that this worker has started here, such as an ssh client that waits for its host."""
    if multiprocessing.parent_process() is None or os.getpgrp() != os.getpid():
        return  # this is no worker of Ansible's: a worker has a process group of its own
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
