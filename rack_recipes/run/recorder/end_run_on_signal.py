# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that end Ansible's main process in the middle of a run.

Ansible alone would end its workers and itself at once, and the steps on the hosts would go on. Here the workers in a
stage are told first, and end the steps on their hosts. Then Ansible ends as it does after an interrupt. As the last
thing, the run is closed.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NoReturn

from rack_recipes.run.host.remote_executor import END_LIMIT
from rack_recipes.run.host.worker_stop import enable_stop_signal, stop_worker
from rack_recipes.run.processes import BY_SIGNAL, ENDING, SECOND_AFTER, ignore_what_is_blocked, leave_dead_terminal

WORKERS_LIMIT = END_LIMIT + 2.0  # seconds to wait for the workers
OF_HOST = 0.1  # seconds more for each host of one worker, which it tells in turns to end
PAUSE = 0.05  # seconds
LOST_AFTER = 8.0  # seconds; Ansible waits 5 for its workers when it ends
STARTING, STARTED = "_queue_task", "worker_prc"  # the method of Ansible's strategies, and its variable for a worker
NOTICE = "rack.recipes.recorder: {name}: {what}; a second signal ends this at once\n"
ENDED, STORED = "the steps on the hosts are ended", "the run is over, its results are being stored"


class SignalGuard:
    """Closes a run that ends before its playbook does, by a signal or by a fault of Ansible's own.

    `most_hosts` is on how many hosts one worker may run a stage.
    """

    def __init__(self) -> None:
        self.most_hosts = 1
        self._owner = os.getpid()
        self._number = 0
        self._received_at = 0.0
        self._close: Callable[[int], None] = lambda _number: None
        self._is_storing = False
        self._is_busy = False
        self._is_pending = False  # a signal came, and Ansible has not been ended for it yet

    def watch(self, close: Callable[[int], None]) -> None:
        """From now on, call `close` as the last thing where the run ends early, with the signal's number or 0.

        A signal that is ignored, as SIGHUP under nohup, stays ignored.
        """
        self._close = close
        self._is_storing = False
        ignore_what_is_blocked()
        # Ansible's own handler for an interrupt raises an exception, which may have got lost, and removes itself.
        was_interrupted = signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        for number in ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._receive)
        enable_stop_signal()
        atexit.register(self._at_exit)
        if was_interrupted:
            signal.raise_signal(signal.SIGINT)

    def only_storing(self) -> None:
        """No stage runs any more: from now on a first signal does not keep the results from the store."""
        self._is_storing = True

    @property
    def is_ending(self) -> bool:
        """Whether a signal has come for which Ansible is still to be ended."""
        return self._is_pending

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Do what is inside to its end; a signal that comes meanwhile ends Ansible behind it."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
        if self._is_pending:
            self._end_ansible()

    def release(self) -> None:
        """The run is closed: do not close it again when the process ends."""
        atexit.unregister(self._at_exit)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:  # a worker just after its fork: it has not begun anything yet
            os._exit(BY_SIGNAL + number)
        if self._number:
            self._receive_second(number)
            return
        self._number, self._received_at = number, time.monotonic()
        leave_dead_terminal()
        _notify(number, STORED if self._is_storing else ENDED)
        if self._is_storing:
            return
        self._is_pending = True
        self._tell_workers(number, frame)

    def _tell_workers(self, _number: int, frame: FrameType | None) -> None:
        """Tell the workers and end Ansible; where it is just starting a worker, try again a moment later.

        Where Ansible goes on all the same, do so again.
        """
        if not self._is_pending:
            return
        for worker in multiprocessing.active_children():
            stop_worker(worker)
        is_starting = _is_starting(frame)
        signal.signal(signal.SIGALRM, self._tell_workers)
        signal.setitimer(signal.ITIMER_REAL, PAUSE if is_starting else LOST_AFTER)
        if not is_starting and not self._is_busy:
            self._end_ansible()

    def _end_ansible(self) -> NoReturn:
        """End Ansible by an exception.

        Where a signal comes at a bad moment, as in a `__del__`, Python only prints the exception. So the stop stays
        pending and is raised again, at the next event or by the timer, until the process ends.
        """
        raise KeyboardInterrupt if self._number == signal.SIGINT else SystemExit(BY_SIGNAL + self._number)

    def _receive_second(self, number: int) -> None:
        """End this process at once.

        The first signal may come twice: a terminal sends it to Ansible, and to the command, which forwards it.
        """
        if time.monotonic() - self._received_at >= SECOND_AFTER:
            signal.signal(number, signal.SIG_DFL)
            os.kill(self._owner, number)

    def _at_exit(self) -> None:
        if os.getpid() == self._owner:
            self._is_storing, self._is_pending = True, False
            signal.setitimer(signal.ITIMER_REAL, 0)  # Python heeds no handler any more when it is nearly gone
            _end_workers(WORKERS_LIMIT + OF_HOST * self.most_hosts)
            self._close(self._number)


def _end_workers(limit: float) -> None:
    """Wait so many seconds for the workers to end, and kill those that do not.

    One that does not end has lost its host, whose steps end when their lease is up. One that is done with its stage may
    still want to hand its result to Ansible, which reads no more results: so each is terminated again and again.
    """
    until = time.monotonic() + limit
    while (workers := multiprocessing.active_children()) and time.monotonic() < until:
        for worker in workers:
            worker.terminate()
        time.sleep(PAUSE)
    for worker in workers:
        worker.kill()


def _is_starting(frame: FrameType | None) -> bool:
    """Whether Ansible is starting a worker that has no process yet.

    An exception there makes Ansible's cleanup fail, or leaves a worker that the cleanup does not know.
    """
    inner = ""
    while frame is not None:
        if frame.f_code.co_name == STARTING:
            worker = frame.f_locals.get(STARTED)
            return worker is not None and (inner == "start" or not _has_process(worker))
        inner, frame = frame.f_code.co_name, frame.f_back
    return False


def _has_process(worker: BaseProcess) -> bool:
    try:
        return worker.pid is not None
    except ValueError:  # closed
        return False


def _notify(number: int, what: str) -> None:
    """Write to stderr directly: Ansible's own output may be in the middle of a line, or hold a lock."""
    with suppress(OSError):
        os.write(2, NOTICE.format(name=signal.Signals(number).name, what=what).encode())
