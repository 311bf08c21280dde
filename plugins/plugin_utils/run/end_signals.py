# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signals that end a run, and how the command passes them on to its Ansible."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import termios
import time
from types import TracebackType
from typing import Any, Self

from ansible_collections.rack.recipes.plugins.plugin_utils.run.flush_signal import FLUSH_SOON, pass_on

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = 1.0  # seconds after which another one is a second one, and not the first one on another way
BY_SIGNAL = 128  # an exit code, less the signal


def leave_dead_terminal() -> None:
    """Write to nowhere from now on where the terminal is gone: an error would end what has more to do than to tell."""
    for stream in (1, 2):
        try:
            termios.tcgetattr(stream)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


class Passing:
    """As a context: signals to this process go to Ansible, which decides what they mean for the run.

    `number` is the first that is to end the run, 0 for none. A second one ends Ansible at once.
    """

    def __init__(self) -> None:
        self.number = 0
        self._since = 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def to(self, child: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        """Pass them on to this one, also what came already."""
        self._child = child
        if self.number:
            child.send_signal(self.number)
        return child

    def __enter__(self) -> Self:
        heeded = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]  # but not under nohup
        self._before = {number: signal.signal(number, self._take) for number in heeded}
        self._before[FLUSH_SOON] = signal.signal(FLUSH_SOON, self._flush)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: Any) -> None:
        is_second = self.number and time.monotonic() - self._since >= AGAIN
        if not self.number:
            self.number, self._since = number, time.monotonic()
            if self._child:
                self._child.send_signal(number)
        elif is_second and self._child:
            self._child.kill()

    def _flush(self, _number: int, _frame: Any) -> None:
        if self._child:
            pass_on(self._child)
