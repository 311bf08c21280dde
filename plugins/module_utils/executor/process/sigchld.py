# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wakes the executor as soon as a child has ended."""

from __future__ import annotations

import os
import signal


class ChildSignal:
    """A context manager with the descriptor of a pipe that becomes readable as soon as a child has ended."""

    def __enter__(self) -> int:
        self._ends = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._ends[1], warn_on_full_buffer=False)
        self._handler = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self._ends[0]

    def __exit__(self, *_error: object) -> None:
        signal.signal(signal.SIGCHLD, self._handler or signal.SIG_DFL)
        signal.set_wakeup_fd(self._wakeup)
        for end in self._ends:
            os.close(end)
