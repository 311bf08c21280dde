# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import signal

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import program_end
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words, signal_name
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


@table("code", "words")
def test_the_end_in_words(code, words):
    assert end_in_words(code) == words


def test_the_name_of_a_signal():
    assert [signal_name(number) for number in (15, 40)] == ["SIGTERM", "signal 40"]


@pytest.fixture
def vmstat(tmp_path, monkeypatch):
    """What the kernel tells."""
    file = tmp_path / "vmstat"
    monkeypatch.setattr(program_end, "VMSTAT", str(file))

    def tells(number):
        file.write_text(f"nr_free_pages 1\noom_kill {number}\noom_kill_x 9\n")

    tells(3)
    return tells


def test_this_kernel_tells_a_number():
    assert program_end.oom_kills() >= program_end.UNKNOWN


def test_a_kernel_that_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setattr(program_end, "VMSTAT", str(tmp_path / "vmstat"))
    assert program_end.oom_kills() == program_end.UNKNOWN
    (tmp_path / "vmstat").write_text("nr_free_pages 1\n")
    assert program_end.oom_kills() == program_end.UNKNOWN
    assert program_end.oom_kills_since(program_end.UNKNOWN) == ""


def test_what_was_killed_since_is_told(vmstat):
    before = program_end.oom_kills()
    assert (before, program_end.oom_kills_since(before)) == (3, "")
    vmstat(4)
    assert program_end.oom_kills_since(before) == " (out of memory: the kernel killed 1 process meanwhile)"
    vmstat(5)
    assert program_end.oom_kills_since(before) == " (out of memory: the kernel killed 2 processes meanwhile)"
    assert program_end.oom_kills_since(program_end.UNKNOWN) == ""


@pytest.mark.parametrize(
    ("number", "code", "stopped", "is_told"),
    [
        (signal.SIGKILL, 0, "", True),
        (0, 137, "", True),  # a shell whose program was killed
        (signal.SIGKILL, 0, "timed out after 1 s", False),
        (signal.SIGTERM, 0, "", False),
        (0, 1, "", False),
    ],
)
def test_only_who_was_killed_by_nobody_else_may_have_starved(vmstat, number, code, stopped, is_told):
    attempt = Attempt(None, [].append)
    attempt.signal, attempt.exit_code, attempt.stopped = number, code, stopped
    assert attempt.starved() == ""  # it was too short for anybody to look
    attempt.started = 0.0
    assert attempt.check()
    assert attempt.starved() == ""
    vmstat(4)
    assert bool(attempt.starved()) is is_told
