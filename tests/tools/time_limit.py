# SPDX-License-Identifier: GPL-3.0-or-later

"""A time limit for each test, for its fixtures and for their end: a plugin of pytest. Python 3.9 reads it, too.

The kernel's timer sends a signal, whose handler fails the test where it hangs. SIGALRM, a thread or a process for it
would disturb the tests: they use that signal, fork, and count threads and children.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

SECONDS = 900.0  # the slowest test takes 30 on an idle machine, and ten times that on a very busy one
SOAK_SECONDS = 4 * 3600.0
AGAIN = 15.0  # seconds: what the handler raises may be caught
GRACE = 60.0  # seconds until the tests are ended, with a traceback
NUMBER = signal.SIGRTMAX - 1


class _Event(ctypes.Structure):
    """The kernel's `struct sigevent`."""

    _fields_ = [
        ("value", ctypes.c_void_p),
        ("number", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("room", ctypes.c_char * 64),
    ]


class _Times(ctypes.Structure):
    """The kernel's `struct itimerspec`."""

    _fields_ = [(name, ctypes.c_long) for name in ("again", "again_nanoseconds", "first", "first_nanoseconds")]


class _Timer:
    """A timer of the kernel that sends a signal to this process."""

    def __init__(self, number: int) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._id = ctypes.c_void_p()
        event = _Event(None, number, 0)
        self._check(self._libc.timer_create(1, ctypes.byref(event), ctypes.byref(self._id)))

    def set(self, seconds: float, again: float = 0.0) -> None:
        """Send after `seconds`, and then every `again` seconds; with 0 `seconds`, send none."""
        times = _Times(*_parts(again), *_parts(seconds))
        self._check(self._libc.timer_settime(self._id, 0, ctypes.byref(times), None))

    def _check(self, code: int) -> None:
        if code:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _parts(seconds: float) -> tuple[int, int]:
    return int(seconds), int(seconds % 1 * 1e9)


class TimeLimit:
    """The plugin: `seconds` for each phase of a test."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._owner = 0
        signal.signal(NUMBER, self._expire)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Limit the fixtures."""
        with self._limited():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Limit the test itself."""
        with self._limited():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Limit the end of the fixtures."""
        with self._limited():
            return (yield)

    @contextmanager
    def _limited(self) -> Generator[None, None, None]:
        if self._owner != os.getpid():  # ansible-test runs each test in a fork, and a fork has no timers
            self._owner = os.getpid()
            self._first, self._last = _Timer(NUMBER), _Timer(signal.SIGABRT)
        self._first.set(self._seconds, AGAIN)
        self._last.set(self._seconds + GRACE)
        try:
            yield
        finally:
            self._first.set(0)
            self._last.set(0)

    def _expire(self, _number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"not over within {self._seconds:g} s")


def limit_of_this_run() -> TimeLimit:
    """The plugin with the limit of the usual tests, or with that of the soak tests."""
    return TimeLimit(SOAK_SECONDS if "RACK_SOAK" in os.environ else SECONDS)
