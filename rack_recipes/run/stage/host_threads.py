# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts in one worker: each has a thread, and one of them runs Python at a time.

Ansible forks a process for each host of a task, which costs the controller 30 ms of CPU a host. A thread costs a
tenth of that. But nothing of Ansible's, and little of a run's, is made for threads. So a thread holds the *turn* while
it works, and gives it to the next one while it waits for its host or sleeps.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rack_recipes.run.stage.worker_stop import TICK, AnswerLimit, HostWait, NoAnswer, Stopped, WorkerStop, bytes_read

MOST_THREADS = 1024
ENDING_AT_ONCE = 64  # hosts that are told at a time to end their steps: nobody waits long for the end of a run
SHARED_DELAY = 5.0  # seconds that a host may delay its answer, divided by how many share a connection
REQUEST_COST = 0.02  # seconds of this machine's time that a request to a host may cost
LATENESS = 0.1  # of the time that a stage has run: so much later may its end be seen

T = TypeVar("T")
_OWN: ContextVar[HostWait | None] = ContextVar("own_wait", default=None)


def wait_of_this_host() -> HostWait | None:
    """How the thread of a host waits; None outside of such a thread."""
    return _OWN.get()


def can_end_clients() -> bool:
    """Whether the system tells which processes a thread has started; Linux may be built without this."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()


class HostThreads:
    """Runs work for each of many hosts. At most `connections` of them are waited for at a time."""

    def __init__(self, connections: int) -> None:
        self.connections = connections
        self.hosts = 0
        self.turn = threading.Lock()
        self.slots = threading.Semaphore(connections)
        self.ending_slots = threading.Semaphore(max(connections, ENDING_AT_ONCE))
        self.stop = WorkerStop()
        self.stopped = threading.Event()
        self._waiting: list[HostThread] = []

    def run(self, hosts: Collection[str], work: Callable[[str], T]) -> dict[str, T]:
        """Do the work for each host; returns what it has returned, in their order. Raises what the first has raised.

        Hosts that have not begun when a signal ends the run have no result. To be called from the main thread of a
        process: a signal that ends a run reaches each thread.
        """
        left, done, errors = deque(hosts), dict[str, T](), list[BaseException]()
        self.hosts = len(hosts)
        open_threads, all_ended = min(self.hosts, MOST_THREADS), threading.Event()

        def take() -> None:
            nonlocal open_threads
            own = HostThread(self)
            _OWN.set(own)
            with self.turn:
                self._waiting.append(own)
                try:
                    while left and not errors and not self.stop.is_requested:
                        host = left.popleft()
                        done[host] = work(host)
                except BaseException as error:  # it is raised again where others can see it
                    errors.append(error)
                self._waiting.remove(own)
                open_threads -= 1
                if not open_threads:
                    all_ended.set()

        with self.stop.catch_signals():
            for _host in range(open_threads):
                threading.Thread(target=take, daemon=True).start()
            while open_threads and not all_ended.wait(TICK):
                if self.stop.is_requested:
                    self.stopped.set()
                for own in [*self._waiting]:
                    own.look()
        if errors:
            raise errors[0]
        return {host: done[host] for host in hosts if host in done}


@dataclass(slots=True)
class _Wait:
    """A wait for a host that goes on: its limit, the bytes that the thread had read before, and why it is to end."""

    limit: AnswerLimit
    had_read: int
    can_stop: bool
    ticks: int = 0
    reason: str = ""


class HostThread:
    """How the thread of a host waits; see HostWait."""

    def __init__(self, threads: HostThreads) -> None:
        self.thread = threading.get_native_id()
        self._threads = threads
        self._wait: _Wait | None = None
        self._can_stop = False

    @property
    def is_requested(self) -> bool:
        """Whether the stage is to stop."""
        return self._threads.stop.is_requested

    @property
    def longest_answer(self) -> float:
        """A host delays its answer for less time where others wait for its connection."""
        threads = self._threads
        return math.inf if self._has_own_connection() else SHARED_DELAY * threads.connections / threads.hosts

    def before_poll(self, seconds: float) -> float:
        """None where each host has a connection of its own. Else more for a stage that lasts, and for many hosts."""
        return 0.0 if self._has_own_connection() else max(LATENESS * seconds, REQUEST_COST * self._threads.hosts)

    def _has_own_connection(self) -> bool:
        """Whether no host waits for the connection of another."""
        return self._threads.hosts <= self._threads.connections

    def wait_for(self, work: Callable[[], T]) -> T:
        """Do work that may take long. Raises Stopped where the stage is to stop."""
        if self.is_requested:
            raise Stopped
        before, self._can_stop = self._can_stop, True
        try:
            return work()
        except Exception:
            if self.is_requested:
                raise Stopped from None
            raise
        finally:
            self._can_stop = before

    def within(self, limit: AnswerLimit, work: Callable[[], T]) -> T:
        """Do work that waits for a host. Raises NoAnswer where it takes longer than the limit, or brings more."""
        slots = self._threads.ending_slots if self.is_requested else self._threads.slots
        with self._others_go_on(), slots:
            if self._can_stop and self.is_requested:
                raise Stopped  # the slot may have become free after the signal only
            wait = self._wait = _Wait(limit, bytes_read(self.thread), self._can_stop)
            try:
                done = work()
            except Exception:
                if wait.reason:
                    raise NoAnswer(wait.reason) from None
                raise
            finally:
                self._wait = None
        if wait.reason:
            raise NoAnswer(wait.reason)
        return done

    def sleep(self, seconds: float) -> None:
        """Sleep. Raises Stopped where the stage is to stop."""
        with self._others_go_on():
            self._threads.stopped.wait(seconds)
        if self._can_stop and self.is_requested:
            raise Stopped

    def end_clients(self) -> None:
        """End the processes that this thread has started."""
        for process in _started_by(f"self/task/{self.thread}"):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGTERM)

    def look(self) -> None:
        """End a wait that is beyond its limit, or is to stop. Called from the main thread, at each tick."""
        wait = self._wait
        if wait is None:
            return
        wait.ticks += 1
        wait.reason = wait.reason or wait.limit.objection(wait.ticks, bytes_read(self.thread) - wait.had_read)
        if self._wait is wait and (wait.reason or (wait.can_stop and self.is_requested)):
            self.end_clients()

    @contextmanager
    def _others_go_on(self) -> Iterator[None]:
        self._threads.turn.release()
        try:
            yield
        finally:
            self._threads.turn.acquire()


def _started_by(task: str) -> Iterator[int]:
    """The processes that a task below /proc has started, and those that these have, the last ones first."""
    with suppress(OSError):
        for process in Path(f"/proc/{task}/children").read_text().split():
            yield from _started_by(f"{process}/task/{process}")
            yield int(process)
