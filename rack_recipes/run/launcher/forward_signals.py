# SPDX-License-Identifier: GPL-3.0-or-later

"""Forward signals from the command to its Ansible, which decides what they mean for the run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rack_recipes.run.processes import ENDING, FLUSH_SOON, SECOND_AFTER


class NothingRun(BaseException):
    """A signal came before Ansible was told to run anything. No Exception, so that only the command's end takes it."""


class SignalForwarder:
    """While its context is entered, signals to this process are the run's.

    One that is to end the run raises NothingRun at first. From `only_note` on it goes to Ansible, and a second one
    kills Ansible. `number` is the first such signal, 0 where none came.
    """

    def __init__(self) -> None:
        self.number = 0
        self._received_at = 0.0
        self._is_noting = False
        self._child: subprocess.Popen[bytes] | None = None
        self._previous_handlers: dict[int, Any] = {}
        self._previous_hook = sys.unraisablehook

    def only_note(self) -> None:
        """From now on a signal raises nothing: Ansible decides what becomes of the run.

        Raises NothingRun if one came before and its exception got lost, as it does in a `__del__`.
        """
        self._is_noting = True
        if self.number:
            raise NothingRun

    def forward_to(self, child: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        """Forward to this process from now on, beginning with a signal that came before; returns the process."""
        self._child = child
        if self.number:
            child.send_signal(self.number)
        return child

    def release(self) -> None:
        """Ansible has ended: signals mean what they meant before."""
        while self._previous_handlers:
            signal.signal(*self._previous_handlers.popitem())
            sys.unraisablehook = self._previous_hook

    def __enter__(self) -> Self:
        handled = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores SIGHUP
        self._previous_handlers = {number: signal.signal(number, self._end) for number in handled}
        self._previous_handlers[FLUSH_SOON] = signal.signal(FLUSH_SOON, self._flush)
        sys.unraisablehook = self._report_lost
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        if error is not None and self.number and not self._child:
            raise NothingRun from None  # where a signal comes at a bad moment, its exception leads to another one

    def _end(self, number: int, _frame: object) -> None:
        if not self.number:
            self.number, self._received_at = number, time.monotonic()
            self._end_first()
        elif time.monotonic() - self._received_at >= SECOND_AFTER:
            self._end_second(number)

    def _end_first(self) -> None:
        if self._child:
            self._child.send_signal(self.number)
        elif not self._is_noting:
            raise NothingRun

    def _end_second(self, number: int) -> None:
        if self._child:
            self._child.kill()
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _report_lost(self, lost: sys.UnraisableHookArgs) -> None:
        if lost.exc_type is not NothingRun:  # `only_note` raises it again
            self._previous_hook(lost)

    def _flush(self, _number: int, _frame: object) -> None:
        if self._child:
            forward_flush(self._child)


def forward_flush(child: subprocess.Popen[bytes]) -> None:
    """Ask an Ansible to flush its run soon.

    Nothing is sent to one that has no handler for the signal yet: it would die of it, and has nothing to flush.
    """
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        if _handles_flush(child.pid):
            child.send_signal(FLUSH_SOON)


def _handles_flush(pid: int) -> bool:
    status = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    handled = next((int(mask, 16) for name, mask in status if name == "SigCgt"), 0)
    return bool(handled >> (FLUSH_SOON - 1) & 1)
