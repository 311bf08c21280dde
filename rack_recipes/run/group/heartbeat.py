# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process of its own that says, at an interval, that its parent is alive: the parent may be busy for hours.

It ends with its parent, however that ends, or where it is told to.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from ansible_collections.rack.recipes.plugins.module_utils.live_client import LiveError

LOOK = 0.2  # seconds between two looks whether the parent is there


class Heartbeat:
    """Calls `tell` every `interval` seconds in a process of its own, and `lost` once where its parent has died."""

    def __init__(self, interval: float, tell: Callable[[], object], lost: Callable[[], object]) -> None:
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            _live(parent, interval, tell, lost)

    def end(self) -> None:
        """End it. Nothing is told any more."""
        pid, self._pid = self._pid, 0
        if pid:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, 0)


def _live(parent: int, interval: float, tell: Callable[[], object], lost: Callable[[], object]) -> None:
    try:
        _apart()
        next_at = time.monotonic() + interval
        while os.getppid() == parent:
            if time.monotonic() >= next_at:
                with suppress(LiveError):  # the server may be back at the next time
                    tell()
                next_at = time.monotonic() + interval
            time.sleep(LOOK)
        with suppress(LiveError):
            lost()
    finally:
        os._exit(0)


def _apart() -> None:
    """Take part in nothing that the parent does: its signals, its terminal, its open files."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
