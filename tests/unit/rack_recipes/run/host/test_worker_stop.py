# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker that is told to end."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from rack_recipes.run.host.worker_stop import (
    STOP_SIGNAL,
    STOP_SIGNALS,
    AnswerLimit,
    NoAnswer,
    Stopped,
    WorkerStop,
    enable_stop_signal,
    end_clients,
    stop_worker,
)


def told_while_it_sleeps(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_who_waits_is_cut_off_and_who_works_is_not(number: int):
    before = [signal.getsignal(each) for each in STOP_SIGNALS]
    stopping = WorkerStop()
    with stopping.catch_signals():
        with pytest.raises(Stopped):
            stopping.wait_for(lambda: told_while_it_sleeps(number))
        os.kill(os.getpid(), number)
        assert stopping.is_requested
    assert [signal.getsignal(each) for each in STOP_SIGNALS] == before


def test_who_was_told_while_it_worked_does_not_begin_to_wait():
    stopping = WorkerStop()
    with stopping.catch_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped):
            stopping.wait_for(lambda: pytest.fail("it waits"))


def tell_by_exit_code(ready: Event, told: Event) -> None:
    ready.set()
    told.wait(60)
    sys.exit(WorkerStop().is_requested)


def test_a_worker_that_is_told_before_its_stage_begins_none():
    context = multiprocessing.get_context("fork")
    ready, told = context.Event(), context.Event()
    before = signal.getsignal(STOP_SIGNAL)
    enable_stop_signal()
    try:
        worker = context.Process(target=tell_by_exit_code, args=[ready, told])
        worker.start()
        assert ready.wait(60)
        stop_worker(worker)
        os.kill(os.getpid(), STOP_SIGNAL)
        told.set()
        worker.join(60)
    finally:
        signal.signal(STOP_SIGNAL, before)
    assert (worker.exitcode, WorkerStop().is_requested) == (1, False)
    stop_worker(worker)


def test_what_it_waited_for_is_returned():
    assert WorkerStop().wait_for(lambda: 17) == 17


def test_a_second_signal_at_any_moment_cuts_off_nothing_else():
    """It may come while Python still unwinds what the first one has raised; a third one comes where nothing waits."""
    moments = itertools.count(1)
    assert [*itertools.takewhile(bool, map(is_told_again, moments))]


def is_told_again(moment: int) -> bool:
    """Tell a waiting one, again at the given event of the interpreter, and a third time behind that.

    Returns whether there was such an event before the wait had ended.
    """
    stopping, events = WorkerStop(), itertools.count(1)

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        frame.f_trace_opcodes = True
        if next(events) == moment:
            signal.raise_signal(signal.SIGTERM)
        return trace

    with stopping.catch_signals():
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            stopping.wait_for(lambda: signal.raise_signal(signal.SIGINT))
        except Stopped:
            sys.settrace(before)
            signal.raise_signal(signal.SIGTERM)
        finally:
            sys.settrace(before)
    return next(events) > moment


def test_an_answer_that_takes_too_long_is_cut_off():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(NoAnswer, match=r"^within 0\.2 s$"):
        WorkerStop().within(AnswerLimit(0.2), lambda: time.sleep(60))
    assert WorkerStop().within(AnswerLimit(60), lambda: 17) == 17
    assert (signal.getitimer(signal.ITIMER_REAL)[0], signal.getsignal(signal.SIGALRM)) == (0, before)


def test_an_exception_that_was_lost_comes_again():
    """Python loses one that comes in a `__del__`."""

    def loses() -> None:
        with suppress(NoAnswer):
            time.sleep(60)
        time.sleep(60)

    with pytest.raises(NoAnswer):
        WorkerStop().within(AnswerLimit(0.05), loses)


def test_an_answer_without_an_end_is_cut_off_however_much_time_there_is():
    with pytest.raises(NoAnswer, match=r"^that ends: 3 MiB have come$"), Path("/dev/zero").open("rb", 0) as zeros:
        WorkerStop().within(AnswerLimit(0.05, 3 * 1024 * 1024, rate=1), lambda: [*iter(lambda: zeros.read(4096), b"")])


def test_who_sends_gets_more_time_and_who_drips_does_not():
    def come(size: int) -> None:
        with Path("/dev/zero").open("rb", 0) as zeros:
            for _again in range(40):
                zeros.read(size)
                time.sleep(0.01)

    WorkerStop().within(AnswerLimit(0.05, rate=100_000), lambda: come(10_000))
    with pytest.raises(NoAnswer):
        WorkerStop().within(AnswerLimit(0.05, rate=100_000), lambda: come(1))


def test_an_earlier_alarm_keeps_its_time():
    """Ansible limits a task by one."""

    def expire(_number: int, _frame: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, expire)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(TimeoutError):
            WorkerStop().within(AnswerLimit(60), lambda: time.sleep(60))
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        signal.setitimer(signal.ITIMER_REAL, 60)
        WorkerStop().within(AnswerLimit(60), lambda: time.sleep(0.01))
        assert 59 < signal.getitimer(signal.ITIMER_REAL)[0] < 60
        assert signal.getsignal(signal.SIGALRM) is expire
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_nothing_of_a_process_is_ended_that_is_no_worker():
    before = signal.getsignal(signal.SIGTERM)
    os.kill(os.getpid(), 0)
    end_clients()
    assert signal.getsignal(signal.SIGTERM) == before
