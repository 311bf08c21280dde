# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.time_limit import time_limit

CATASTROPHE = ("(a+)+b", "a" * 60)


def test_what_is_done_in_time_is_left_alone() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with time_limit(60):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
    assert (signal.getitimer(signal.ITIMER_REAL)[0], signal.getsignal(signal.SIGALRM)) == (0, handler)


def test_a_regular_expression_is_ended() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError, match=r"^took more than 0\.1 s$"), time_limit(0.1):
        re.fullmatch(*CATASTROPHE)
    assert (signal.getitimer(signal.ITIMER_REAL)[0], signal.getsignal(signal.SIGALRM)) == (0, handler)


def test_a_function_that_catches_every_exception_is_ended() -> None:
    def stubborn() -> None:
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    with pytest.raises(TimeoutError), time_limit(0.1):
        stubborn()


def test_an_alarm_that_comes_too_late_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = signal.setitimer

    def late(which: int, seconds: float, interval: float = 0) -> tuple[float, float]:
        if not seconds:
            signal.raise_signal(signal.SIGALRM)
        return stop(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", late)
    with time_limit(60):
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_an_error_of_what_is_limited_comes_through() -> None:
    with pytest.raises(KeyError), time_limit(60):
        raise KeyError
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_later_alarm_around_it_goes_on() -> None:
    signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        with pytest.raises(TimeoutError), time_limit(0.1):
            re.fullmatch(*CATASTROPHE)
        assert 90 < signal.getitimer(signal.ITIMER_REAL)[0] < 100
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_an_earlier_alarm_around_it_counts() -> None:
    def expire(_number: int, _frame: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(InterruptedError), time_limit(60):
            re.fullmatch(*CATASTROPHE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_another_thread_has_no_limit() -> None:
    done = []

    def work() -> None:
        with time_limit(0.01):
            time.sleep(0.1)
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
