# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signals that a run knows: those that end it, and the one that asks for a flush."""

from __future__ import annotations

import errno
import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FLUSH_SOON = signal.SIGUSR1
SECOND_AFTER = 1.0  # seconds; an earlier signal counts as the first one, which came a second time on another way
BY_SIGNAL = 128  # a process that a signal ended has this exit code plus the signal's number


@contextmanager
def ending_blocked() -> Iterator[None]:
    """Hold back the signals that end a run, also from a process that is started in here.

    As long as Python starts, an interrupt could get lost there. An Ansible that is started in here begins with
    HANDLE_SIGNALS.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# Until Ansible and the recorder set their handlers, a signal ends the process with what it has to clean up. Ansible's
# handlers replace even those of signals that are ignored, such as an interrupt in the background of a script. So what
# is ignored stays blocked.
HANDLE_SIGNALS = f"""\
import atexit, os, signal
def end(number, frame):
    signal.signal(number, signal.SIG_DFL)
    atexit._run_exitfuncs()
    os.kill(os.getpid(), number)
for number in {[int(number) for number in ENDING]}:
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
"""


def ignore_what_is_blocked() -> None:
    """In Ansible's process: ignore the signals that HANDLE_SIGNALS has left blocked."""
    for number in {*ENDING} & signal.pthread_sigmask(signal.SIG_BLOCK, []):
        signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])


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
