# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forward signals from the command to its Ansible, which decides what they mean for the run."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_signals import ENDING, FLUSH_SOON, SECOND_AFTER


class SignalForwarder:
    """While its context is entered, signals to this process go to Ansible.

    `number` is the first signal that is to end the run, 0 where none came. A second one kills Ansible.
    """

    def __init__(self) -> None:
        self.number = 0
        self._received_at = 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._previous_handlers: dict[int, Any] = {}

    def forward_to(self, child: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        """Forward to this process from now on, beginning with a signal that came before; returns the process."""
        self._child = child
        if self.number:
            child.send_signal(self.number)
        return child

    def __enter__(self) -> Self:
        handled = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores SIGHUP
        self._previous_handlers = {number: signal.signal(number, self._end) for number in handled}
        self._previous_handlers[FLUSH_SOON] = signal.signal(FLUSH_SOON, self._flush)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _end(self, number: int, _frame: Any) -> None:
        is_second = self.number and time.monotonic() - self._received_at >= SECOND_AFTER
        if not self.number:
            self.number, self._received_at = number, time.monotonic()
            if self._child:
                self._child.send_signal(number)
        elif is_second and self._child:
            self._child.kill()

    def _flush(self, _number: int, _frame: Any) -> None:
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
