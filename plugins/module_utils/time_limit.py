# SPDX-License-Identifier: GPL-3.0-or-later

"""A time limit for code inside our own process, such as a regular expression or a user's function."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class _IsOver(BaseException):
    """The limit's time is over. `except Exception` in the limited code does not catch it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError if the body takes longer than `seconds` of real time.

    It can end Python code and the matching of regular expressions, but no C function that does not return. Signals
    reach the main thread only, so in other threads there is no limit. Nor is there one if an earlier alarm is due
    sooner.
    """
    ended = False

    def expire(_number: int, _frame: object) -> None:
        if not ended:
            raise _IsOver

    left, interval = signal.getitimer(signal.ITIMER_REAL)
    began = time.monotonic()
    try:
        before = None if 0 < left <= seconds else signal.signal(signal.SIGALRM, expire)
    except ValueError:  # not the main thread
        before = None
    if before is None:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        try:
            yield
        finally:
            ended = True  # an alarm that comes from now on is too late
    except _IsOver:
        raise TimeoutError(f"took more than {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)
