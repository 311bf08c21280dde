# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signals that a run knows: those that end it, and the one that asks for a flush."""

from __future__ import annotations

import errno
import os
import signal
import termios

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FLUSH_SOON = signal.SIGUSR1
SECOND_AFTER = 1.0  # seconds; an earlier signal counts as the first one, which came a second time on another way
BY_SIGNAL = 128  # a process that a signal ended has this exit code plus the signal's number


def leave_dead_terminal() -> None:
    """Send stdout and stderr to /dev/null where their terminal is gone.

    Writing there would raise an error, and end a process that still has to close a run.
    """
    for stream in (1, 2):
        try:
            termios.tcgetattr(stream)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
