# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals to the command: the first goes to its Ansible, a second one ends that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rack_recipes.run.launcher import forward_signals
from rack_recipes.run.launcher.forward_signals import NothingRun, SignalForwarder, forward_flush
from rack_recipes.run.processes import ENDING

# Counts the signals that it gets, and ends only by the one that nobody can ignore.
COUNTS = """
import os, signal, time
for number in (1, 2, 15):
    signal.signal(number, lambda number, _frame: os.write(1, b"%d " % number))
os.write(1, b"ready ")
while True:
    time.sleep(60)
"""


@pytest.fixture
def child():
    started = subprocess.Popen([sys.executable, "-c", COUNTS], stdout=subprocess.PIPE)
    assert started.stdout
    assert os.read(started.stdout.fileno(), 100) == b"ready "
    yield started
    started.kill()
    started.wait()
    started.stdout.close()


def told(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout
    return os.read(child.stdout.fileno(), 100)


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_goes_to_ansible(child: subprocess.Popen[bytes], number: int):
    before = [signal.getsignal(each) for each in ENDING]
    with SignalForwarder() as forwarder:
        forwarder.forward_to(child)
        assert forwarder.number == 0
        os.kill(os.getpid(), number)
        assert told(child) == b"%d " % number
    assert forwarder.number == number
    assert [signal.getsignal(each) for each in ENDING] == before


def test_a_signal_before_ansible_is_there_is_passed_on_then(child: subprocess.Popen[bytes]):
    with SignalForwarder() as forwarder:
        forwarder.only_note()
        os.kill(os.getpid(), signal.SIGTERM)
        forwarder.forward_to(child)
        assert told(child) == b"15 "


@pytest.mark.parametrize("number", ENDING)
def test_before_that_a_signal_ends_what_is_done(number: int):
    with SignalForwarder() as forwarder, pytest.raises(NothingRun):
        os.kill(os.getpid(), number)
    assert forwarder.number == number


def test_such_an_end_that_python_loses_comes_later(capfd: pytest.CaptureFixture[str]):
    class Loses:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    before = sys.unraisablehook
    with SignalForwarder() as forwarder:
        Loses()
        assert forwarder.number == signal.SIGINT
        with pytest.raises(NothingRun):
            forwarder.only_note()
    assert sys.unraisablehook is before
    assert capfd.readouterr().err == ""


def test_such_an_end_that_leads_to_another_exception_is_still_one():
    """As the second attempt to close a file does, where the first one is interrupted behind its system call."""

    def fail() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            raise OSError(9, "Bad file descriptor")

    with pytest.raises(NothingRun), SignalForwarder():
        fail()


def test_an_error_without_a_signal_is_an_error():
    with pytest.raises(ValueError), SignalForwarder():
        raise ValueError


def test_another_exception_that_python_loses_is_told(monkeypatch: pytest.MonkeyPatch):
    class Loses:
        def __del__(self) -> None:
            raise ValueError

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    with SignalForwarder():
        Loses()
    assert told == [ValueError]


GOES_ON = f"""
import os, signal, time
from {forward_signals.__name__} import SignalForwarder, NothingRun
with SignalForwarder():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except NothingRun:
        print("ready", flush=True)
        time.sleep(60)
"""


def test_a_second_signal_ends_what_does_not_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    with start(GOES_ON) as child:
        time.sleep(forward_signals.SECOND_AFTER)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == -signal.SIGTERM


def test_what_comes_at_once_is_the_first_one_again(child: subprocess.Popen[bytes]):
    with SignalForwarder() as forwarder:
        forwarder.forward_to(child)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert told(child) == b"2 "
        assert (forwarder.number, child.poll()) == (signal.SIGINT, None)


def test_a_second_signal_ends_ansible(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forward_signals, "SECOND_AFTER", 0.05)
    with SignalForwarder() as forwarder:
        forwarder.forward_to(child)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        assert child.wait(60) == -signal.SIGKILL
    assert forwarder.number == signal.SIGTERM


def test_what_is_ignored_stays_so(child: subprocess.Popen[bytes]):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with SignalForwarder() as forwarder:
            forwarder.forward_to(child)
            os.kill(os.getpid(), signal.SIGHUP)
            assert forwarder.number == 0
    finally:
        signal.signal(signal.SIGHUP, before)


TAKES = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda number, frame: sys.exit(7))
print("ready", flush=True)
time.sleep(60)
"""


def start(program: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    return child


def test_it_reaches_a_process_that_takes_it():
    with start(TAKES) as child:
        forward_flush(child)
        assert child.wait(60) == 7


def test_it_spares_a_process_that_does_not():
    with start("print('ready', flush=True); input()") as child:
        forward_flush(child)
        time.sleep(0.1)
        assert child.poll() is None
        child.communicate(b"\n")
    assert child.returncode == 0


def test_a_process_that_has_ended_is_left_alone():
    with start("print('ready', flush=True)") as child:
        child.wait(60)
    forward_flush(child)
