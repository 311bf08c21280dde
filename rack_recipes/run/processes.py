# SPDX-License-Identifier: GPL-3.0-or-later

"""How the processes of a run are started and what one hands to the next.

The run's id, signals, and requests to the store writer.

`flush` and `end` are answered by a line: `ok`, or what went wrong. `now` is not answered. A colon and a number behind
`flush` or `end` say for how many seconds a fault of the store that may pass is waited out.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

RUN_ID = "RACK_RECIPES_RUN_ID"  # a variable in the environment of Ansible
MADE = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")  # what `new_run_id` makes
STARTED_BY = "RACK_RECIPES_STARTED_BY"  # another one: who started the run through a page, or on another controller
PART = "RACK_RECIPES_PART"  # what people call this part of a group
ECHO = (
    "RACK_RECIPES_ECHO"  # where it is set, Ansible's output has the journal, for who started this part from elsewhere
)
ECHOED = "rack-recipes journal"  # how such a line begins; its offset and the bytes in base64 follow


def new_run_id() -> str:
    """A unique id that sorts by time, to the second; `journals` orders the runs of one second."""
    import secrets  # shell completion, which imports this file, does without it

    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(3)


def chosen_run_id() -> str:
    """The id that the command chose for the run of this process, or a new one."""
    return os.environ.pop(RUN_ID, "") or new_run_id()  # a step that starts a run must not pass this id on


def started_by() -> str:
    """Who started the run of this process, for its record."""
    return os.environ.pop(STARTED_BY, "") or user_name()


def user_name() -> str:
    """The name of this user, or the number of one without a name, as in a container."""
    import getpass  # as above

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter since Python 3.13
        return str(os.getuid())


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FLUSH_SOON = signal.SIGUSR1
SECOND_AFTER = 1.0  # seconds; an earlier signal counts as the first one, which came a second time on another way
BY_SIGNAL = 128  # a process that a signal ended has this exit code plus the signal's number


@contextmanager
def block_ending_signals() -> Iterator[None]:
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


FLUSH, END, NOW = b"flush", b"end", b"now"
OK = "ok"
ANSIBLE_LOG = "ansible.log"  # in the run's folder: what Ansible says that nobody sees
STORE_WRITER_LOG = "follower.log"  # in the run's folder: what the store writer says
SHARE = 0.8  # of the time that the recorder waits: the store writer gives up before, so that its reason is heard


def to_request(word: bytes, seconds: float | None = None) -> bytes:
    """The line that asks for `word`; the recorder waits `seconds` for the answer."""
    return word + b"\n" if seconds is None else b"%s:%.3f\n" % (word, max(0.0, seconds) * SHARE)


def from_request(line: bytes) -> tuple[bytes, float | None]:
    """The word of a request without its line end, and its seconds, None where it names none."""
    word, _colon, seconds = line.partition(b":")
    return word, float(seconds) if seconds else None
