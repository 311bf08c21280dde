# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's main process, told to end in the middle of a run.

By itself it would end its workers and then itself at once, so that nobody could end what runs on the hosts. Here the
workers in a stage are told first, which end the steps on their hosts, then Ansible ends as it does after an interrupt,
and what is still to be said of the run is said last.
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

from ansible_collections.rack.recipes.plugins.plugin_utils.run.end_signals import (
    AGAIN,
    BY_SIGNAL,
    ENDING,
    leave_dead_terminal,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.remote_executor import END_LIMIT
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.worker_stop import let_tell, tell

WORKERS_LIMIT = END_LIMIT + 2.0  # seconds for which the workers are waited for
PAUSE = 0.05
STARTING, STARTED = "_queue_task", "worker_prc"  # the method of Ansible's strategies, and the worker there
TOLD = "rack.recipes.recorder: {name}: {what}; a second signal ends this at once\n"
ENDED, STORED = "the steps on the hosts are ended", "the run is over, its results are being stored"


class SignalGuard:
    """Closes a run that ends before its playbook does, for a signal or for a fault of Ansible's own."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._number = 0
        self._since = 0.0
        self._close: Callable[[int], None] = lambda _number: None
        self._is_closing = False
        self._is_busy = False
        self._is_pending = False

    def watch(self, close: Callable[[int], None]) -> None:
        """From now on call `close` where the run ends early, with the number of the signal or 0, as the last thing.

        A signal that is ignored, as SIGHUP under nohup, stays so.
        """
        self._close = close
        self._is_closing = False
        for number in ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._take)
        let_tell()
        atexit.register(self._at_exit)

    def closing(self) -> None:
        """Nothing runs any more: a first signal must not keep the results from the store."""
        self._is_closing = True

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """What is done here is done to its end; only then a signal ends the rest."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
        if self._is_pending:
            self._end()

    def over(self) -> None:
        """The run has been closed."""
        atexit.unregister(self._at_exit)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:  # a worker in its first moments: it has not begun anything yet
            os._exit(BY_SIGNAL + number)
        if self._number:
            self._take_again(number)
            return
        self._number, self._since = number, time.monotonic()
        leave_dead_terminal()
        _say(number, STORED if self._is_closing else ENDED)
        if self._is_closing:
            return
        self._is_pending = True
        self._go_on(number, frame)

    def _go_on(self, _number: int, frame: FrameType | None) -> None:
        """End Ansible, but where it starts a worker only a moment later."""
        if not self._is_pending:
            return
        for worker in multiprocessing.active_children():
            tell(worker)
        if _is_starting(frame):
            signal.signal(signal.SIGALRM, self._go_on)
            signal.setitimer(signal.ITIMER_REAL, PAUSE)
        elif not self._is_busy:
            self._end()

    def _end(self) -> NoReturn:
        """End Ansible; some of what is raised Python only tells, so it is still to be done until it is."""
        raise KeyboardInterrupt if self._number == signal.SIGINT else SystemExit(BY_SIGNAL + self._number)

    def _take_again(self, number: int) -> None:
        """The first one may come twice: a terminal sends it to the command, which passes it on, and to Ansible."""
        if time.monotonic() - self._since >= AGAIN:
            signal.signal(number, signal.SIG_DFL)
            os.kill(self._owner, number)

    def _at_exit(self) -> None:
        if os.getpid() == self._owner:
            self._is_closing, self._is_pending = True, False
            _end_workers()
            self._close(self._number)


def _end_workers() -> None:
    """Wait until they have ended; one that does not has lost its host, whose steps end when their lease is up.

    Behind its stage one has still a result for Ansible, which nobody takes any more.
    """
    until = time.monotonic() + WORKERS_LIMIT
    while (workers := multiprocessing.active_children()) and time.monotonic() < until:
        for worker in workers:
            worker.terminate()
        time.sleep(PAUSE)
    for worker in workers:
        worker.kill()


def _is_starting(frame: FrameType | None) -> bool:
    """Whether Ansible is at a worker without a process: cut off there, its cleanup fails, or does not know of one."""
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


def _say(number: int, what: str) -> None:
    """Past Ansible's own output, which may be in the midst of a line, or of a lock."""
    with suppress(OSError):
        os.write(2, TOLD.format(name=signal.Signals(number).name, what=what).encode())
