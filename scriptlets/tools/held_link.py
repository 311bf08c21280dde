# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A port that is down for a while, and that comes back whatever happens to the step."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

from scriptlets.tools.commands import run


@contextmanager
def held_down(port):
    """Take a port down, and up again at the end.

    A second process, in a session of its own, waits for the end of this one by a pipe. So the port also comes back
    where this process is killed.
    """
    run(("ip", "link", "show", "dev", port))
    reading, writing = os.pipe()
    guard = os.fork()
    if not guard:
        os.close(writing)
        _guard(reading, port)
    os.close(reading)
    try:
        run(("ip", "link", "set", "dev", port, "down"))
        yield
    finally:
        os.close(writing)
        os.waitpid(guard, 0)
    run(("ip", "link", "set", "dev", port, "up"))


def _guard(reading, port):
    """Wait until the other end of a pipe is closed, then bring the port up and end this process."""
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.read(reading, 1)
        run(("ip", "link", "set", "dev", port, "up"))
    finally:
        os._exit(0)
