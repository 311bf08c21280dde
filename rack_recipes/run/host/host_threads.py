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
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rack_recipes.errors import RackError
from rack_recipes.run.host.worker_stop import TICK, AnswerLimit, HostWait, NoAnswer, Stopped, WorkerStop, bytes_read

MOST_THREADS = 16384  # a thread takes two of the 65,530 maps of memory that Linux gives a process
PROCESSES = 4  # of a host where their number is limited: its thread, ssh, ssh's master, and one more
ENDING_AT_ONCE = 64  # hosts that are told at a time to end their steps: nobody waits long for the end of a run
SHARED_DELAY = 2.0  # seconds that a host may delay its answer, divided by how many share a connection
REQUEST_COST = 0.02  # seconds of this machine's time that a request to a host may cost
CORES = len(os.sched_getaffinity(0))
REQUEST_TIME = 0.2  # seconds that may pass for each host until all of them were asked once, on a busy machine
LATENESS = 0.1  # of the time that a stage has run: so much later may its end be seen

NO_THREAD = (
    "this process may start no thread for its hosts ({error}): raise the limit of processes (ulimit -u, pids.max)"
)
FEW_THREADS = (
    "the limit of processes (ulimit -u, pids.max) leaves room for {number} of {hosts} hosts at a time; others wait for "
    "the end of these"
)

T = TypeVar("T")
_OWN: ContextVar[HostThread | None] = ContextVar("own_wait", default=None)


def wait_of_this_host() -> HostWait | None:
    """How the thread of a host waits; None outside of such a thread."""
    return _OWN.get()


def lease_on_hosts(reconnect_timeout: float) -> float:
    """For how many seconds a host goes on with its steps though no request comes, which renews this time.

    That is the time for which a lost host is waited for, and longer where other hosts may all be asked before it.
    """
    own = _OWN.get()
    return reconnect_timeout + (own.longest_round if own else 0.0)


def can_end_clients() -> bool:
    """Whether the system tells which processes a thread has started; Linux may be built without this."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()


class HostThreads:
    """Runs work for each of many hosts. At most `connections` of them are waited for at a time.

    `hosts` is how many have not ended yet. `warnings` are for the user.
    """

    def __init__(self, connections: int) -> None:
        self.connections = connections
        self.hosts = 0
        self.warnings: list[str] = []
        self.turn = threading.Lock()
        self.slots = threading.Semaphore(connections)
        self.ending_slots = threading.Semaphore(max(connections, ENDING_AT_ONCE))
        self.stop = WorkerStop()
        self.gates: dict[str, Gate] = {}
        self._waiting: list[HostThread] = []
        self._spare = 0  # threads that are to end, since what they take is needed by others

    def run(self, hosts: Collection[str], work: Callable[[str], T]) -> dict[str, T]:
        """Do the work for each host; returns what it has returned, in their order.

        Hosts that have not begun when a signal ends the run have no result. To be called from the main thread of a
        process: a signal that ends a run reaches each thread. Raises what the first thread has raised, and RackError
        where none can be started.
        """
        if not hosts:
            return {}
        left, done, errors = deque(hosts), dict[str, T](), list[BaseException]()
        self.hosts = len(hosts)
        open_threads, all_ended = min(len(hosts), MOST_THREADS), threading.Event()

        def take() -> None:
            own = HostThread(self)
            _OWN.set(own)
            with self.turn:
                self._waiting.append(own)
                try:
                    while left and not errors and not self.stop.is_requested and not self._is_spare():
                        host = left.popleft()
                        done[host] = work(host)
                        self._leave_host()
                except BaseException as error:  # it is raised again where others can see it
                    errors.append(error)
                self._waiting.remove(own)
                leave(1)

        def leave(number: int) -> None:
            nonlocal open_threads
            open_threads -= number
            if not open_threads:
                all_ended.set()

        with self.stop.catch_signals():
            wanted = open_threads
            if lacking := wanted - self._start(take, wanted):
                with self.turn:
                    leave(lacking)
            self._look_until(all_ended)
        for error in errors:
            raise error
        return {host: done[host] for host in hosts if host in done}

    def _start(self, take: Callable[[], None], wanted: int) -> int:
        """Start so many threads, or as many as the system lets; returns how many. Most of the latter are spare then."""
        for number in range(wanted):
            try:
                threading.Thread(target=take, daemon=True).start()
            except RuntimeError as error:
                if not number:
                    raise RackError(NO_THREAD.format(error=error)) from error
                kept = max(1, number // PROCESSES)
                with self.turn:
                    self._spare = number - kept
                self.warnings.append(FEW_THREADS.format(number=kept, hosts=self.hosts))
                return number
        return wanted

    def _look_until(self, all_ended: threading.Event) -> None:
        while not all_ended.wait(TICK):
            if self.stop.is_requested:
                self._tell_all_to_stop()
            for own in [*self._waiting]:
                own.look()

    def _leave_host(self) -> None:
        self.hosts -= 1
        if self.hosts == self.connections:  # each of them has one for itself from now on
            for own in self._waiting:
                own.wake()

    def _is_spare(self) -> bool:
        self._spare -= 1
        return self._spare >= 0

    def _tell_all_to_stop(self) -> None:
        for own in [*self._waiting]:
            own.wake()
        if self.turn.acquire(timeout=TICK):  # else at the next tick
            for gate in self.gates.values():
                gate.changed.notify_all()
            self.turn.release()


class Gate:
    """Lets so many threads at a time look whether a resource is free. The others sleep until one of these leaves."""

    def __init__(self, turn: threading.Lock, free: int) -> None:
        self.changed = threading.Condition(turn)
        self.free = free


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
        self._last_request = 0.0  # seconds, with the wait for a connection
        self._awake = threading.Lock()
        self._awake.acquire()

    @property
    def is_requested(self) -> bool:
        """Whether the stage is to stop."""
        return self._threads.stop.is_requested

    @property
    def longest_answer(self) -> float:
        """A host delays its answer for less time where others wait for its connection.

        A delay costs no time while this machine is busy with requests to the other connections.
        """
        threads = self._threads
        if self._has_own_connection():
            return math.inf
        return threads.connections * max(SHARED_DELAY / threads.hosts, REQUEST_COST / CORES)

    def before_poll(self, seconds: float) -> float:
        """None where each host has a connection of its own.

        Else more for a stage that lasts, for many hosts, and where the last request took long, as when all are busy.
        """
        if self._has_own_connection():
            return 0.0
        return max(LATENESS * seconds, REQUEST_COST * self._threads.hosts, self._last_request)

    @property
    def longest_round(self) -> float:
        """Seconds that may pass between two requests to a host; 0 where each has a connection of its own."""
        return 0.0 if self._has_own_connection() else REQUEST_TIME * self._threads.hosts

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
        began = time.monotonic()
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
                self._last_request = time.monotonic() - began
        if wait.reason:
            raise NoAnswer(wait.reason)
        return done

    def sleep(self, seconds: float) -> None:
        """Sleep. Raises Stopped where the stage is to stop."""
        if not self.is_requested:
            with self._others_go_on():
                self._awake.acquire(timeout=seconds)  # at its end, each wait for an Event searches the others
        if self._can_stop and self.is_requested:
            raise Stopped

    @contextmanager
    def admitted(self, name: str, number: int) -> Iterator[None]:
        """Wait until fewer than `number` other threads are within a block of this name. Raises Stopped."""
        gate = self._threads.gates.setdefault(name, Gate(self._threads.turn, number))
        while not gate.free:
            if self._can_stop and self.is_requested:
                raise Stopped
            gate.changed.wait()
        gate.free -= 1
        try:
            yield
        finally:
            gate.free += 1
            gate.changed.notify()

    def end_clients(self) -> None:
        """End the processes that this thread has started."""
        for process in _started_by(f"self/task/{self.thread}"):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGTERM)

    def wake(self) -> None:
        """End a sleep, this one or the next."""
        with suppress(RuntimeError):  # it is awake
            self._awake.release()

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
