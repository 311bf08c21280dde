# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals to the command: the first goes to its Ansible, a second one ends that."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.run import end_signals
from ansible_collections.rack.recipes.plugins.plugin_utils.run.end_signals import (
    ENDING,
    Passing,
    leave_dead_terminal,
)

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
    with Passing() as passing:
        passing.to(child)
        assert passing.number == 0
        os.kill(os.getpid(), number)
        assert told(child) == b"%d " % number
    assert passing.number == number
    assert [signal.getsignal(each) for each in ENDING] == before


def test_a_signal_before_ansible_is_there_is_passed_on_then(child: subprocess.Popen[bytes]):
    with Passing() as passing:
        os.kill(os.getpid(), signal.SIGTERM)
        passing.to(child)
        assert told(child) == b"15 "


def test_what_comes_at_once_is_the_first_one_again(child: subprocess.Popen[bytes]):
    with Passing() as passing:
        passing.to(child)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert told(child) == b"2 "
        assert (passing.number, child.poll()) == (signal.SIGINT, None)


def test_a_second_signal_ends_ansible(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(end_signals, "AGAIN", 0.05)
    with Passing() as passing:
        passing.to(child)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        assert child.wait(10) == -signal.SIGKILL
    assert passing.number == signal.SIGTERM


def test_what_is_ignored_stays_so(child: subprocess.Popen[bytes]):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Passing() as passing:
            passing.to(child)
            os.kill(os.getpid(), signal.SIGHUP)
            assert passing.number == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_to_a_terminal_that_is_gone_nothing_is_written():
    """In a process of its own, whose output is that terminal."""
    ours, theirs = pty.openpty()
    pid = os.fork()
    if not pid:
        os.close(ours)
        os.dup2(theirs, 1)
        os.dup2(theirs, 2)
        try:
            leave_dead_terminal()
            assert os.isatty(1)
            os.write(1, b"ready")
            while os.isatty(1):
                time.sleep(0.01)
            leave_dead_terminal()
            os.write(1, b"x")
            os.write(2, b"x")
            os._exit(0)
        finally:
            os._exit(1)
    os.close(theirs)
    assert os.read(ours, 100) == b"ready"
    os.close(ours)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
