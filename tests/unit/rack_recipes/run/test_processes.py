# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from rack_recipes.run.processes import (
    ENDING,
    HANDLE_SIGNALS,
    RUN_ID,
    block_ending_signals,
    chosen_run_id,
    ignore_what_is_blocked,
    leave_dead_terminal,
    new_run_id,
    user_name,
)

# It writes without a buffer: a signal that comes in the middle of a `print` would lose what the handler prints.
WAITS = f"""{HANDLE_SIGNALS}
import time
atexit.register(os.write, 1, b"cleaned up\\n")
os.write(1, b"ready\\n")
time.sleep(2)
os.write(1, b"and on\\n")
"""


def waiting() -> subprocess.Popen[str]:
    with block_ending_signals():
        child = subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_an_ansible_that_starts(number: int):
    with waiting() as child:
        child.send_signal(number)
        assert child.communicate()[0] == "cleaned up\n"
    assert child.returncode == -number


@pytest.mark.parametrize("number", ENDING)
def test_one_that_is_ignored_does_not(number: int):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with waiting() as child:
            child.send_signal(number)
            assert child.communicate()[0] == "and on\ncleaned up\n"
    finally:
        signal.signal(number, before)
    assert child.returncode == 0


@pytest.mark.parametrize("number", ENDING)
def test_it_stays_ignored_when_it_is_not_blocked_any_more(number: int):
    before = {each: signal.getsignal(each) for each in ENDING}
    try:
        ignore_what_is_blocked()
        assert {each: signal.getsignal(each) for each in ENDING} == before
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        signal.raise_signal(number)  # not to the process, whose other threads do not block it
        ignore_what_is_blocked()
        assert {each: signal.getsignal(each) for each in ENDING} == {**before, number: signal.SIG_IGN}
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {*ENDING}
    finally:
        signal.signal(number, before[number])


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


def test_a_new_id_sorts_by_time_and_meets_no_other():
    ids = [new_run_id() for _other in range(100)]
    assert len({*ids}) == 100
    assert all(re.fullmatch(r"20\d{6}-\d{6}-[0-9a-f]{6}", run_id) for run_id in ids)
    assert [run_id[:15] for run_id in ids] == sorted(run_id[:15] for run_id in ids)


def test_the_command_chooses_the_id(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(RUN_ID, "mine")
    assert chosen_run_id() == "mine"
    monkeypatch.setenv(RUN_ID, "")
    assert chosen_run_id() not in ("", "mine")


@pytest.mark.parametrize("error", [KeyError, OSError])  # as in Python before and since 3.13
def test_a_user_without_a_name_is_a_number(error: type[Exception], monkeypatch: pytest.MonkeyPatch):
    def no_name() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", no_name)
    assert user_name() == str(os.getuid())
