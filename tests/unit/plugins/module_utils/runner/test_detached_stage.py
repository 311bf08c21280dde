# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import program_end
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import decode, encode
from ansible_collections.rack.recipes.plugins.module_utils.runner import detached_stage as module
from ansible_collections.rack.recipes.plugins.module_utils.runner.detached_stage import (
    DetachedStage,
    remove_collected_stages,
    remove_old_stages,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import open_files


@pytest.fixture
def stage(tmp_path):
    """A stage that was made, but has no runner yet."""
    made = DetachedStage(str(tmp_path / "base" / "stage"))
    os.mkdir(tmp_path / "base", 0o700)
    assert made.create()
    yield made
    for descriptor in (made._journal, made._lease):
        if descriptor >= 0:
            os.close(descriptor)


@pytest.fixture
def running(stage):
    """A stage whose runner is this process."""
    stage.begin()
    return stage


def records_of(data):
    return [decode(line) for line in data.split(b"\n") if line]


def numbers_of(stage):
    return [record["n"] for record in records_of(stage.journal_from(0)[0])]


def make_old(stage, seconds):
    """As if nothing had changed in the stage's folder for so long."""
    moment = time.time() - seconds
    for path in (*(entry.path for entry in os.scandir(stage.folder)), stage.folder):
        os.utime(path, (moment, moment))


def test_a_stage_is_made_once(stage):
    assert not DetachedStage(stage.folder).create()
    assert sorted(os.listdir(stage.folder)) == ["lease", "work"]
    assert os.stat(stage.folder).st_mode & 0o777 == 0o700


def test_a_stage_that_cannot_be_made_whole_is_not_there(stage):
    other, files = DetachedStage(stage.folder + "2"), open_files()
    with room(0), pytest.raises(OSError):
        other.create()
    assert other.state() == "unknown"
    assert open_files() == files


def test_records_are_numbered_from_one(running):
    running.write({"kind": "delta", "n": 0})
    running.write({"kind": "step", "n": 0})
    assert numbers_of(running) == [1, 2]


def test_the_lease_runs_out(running):
    assert running.leased(60)
    time.sleep(0.06)
    assert not running.leased(0.05)
    running.renew()
    assert running.leased(0.05)


# States


def test_unknown(tmp_path):
    assert DetachedStage(str(tmp_path / "nothing")).state() == "unknown"


def test_running_from_the_start_to_the_end(stage):
    assert stage.state() == "running"
    stage.begin()
    assert stage.state() == "running"
    stage.end()
    assert stage.state() == "ended"
    assert sorted(os.listdir(stage.folder)) == ["ended", "journal.jsonl", "lease"]


def test_killed_before_the_runner_began(stage):
    make_old(stage, module.STARTING + 1)
    assert stage.state() == "killed"


def in_a_runner(folder, then):
    """Start a process that is the stage's runner and then does `then`."""
    code = (
        "import os, sys, time\n"
        "from ansible_collections.rack.recipes.plugins.module_utils.runner.detached_stage import DetachedStage\n"
        f"stage = DetachedStage({folder!r})\nstage.begin()\nprint(flush=True)\n{then}\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env)
    runner.stdout.readline()
    runner.stdout.close()
    return runner


def test_killed_while_running(stage):
    runner = in_a_runner(stage.folder, "time.sleep(600)")
    assert stage.state() == "running"
    runner.kill()
    os.waitid(os.P_PID, runner.pid, os.WEXITED | os.WNOWAIT)
    assert stage.state() == "killed"  # a zombie still, as in a container whose first process never waits
    runner.wait()
    assert stage.state() == "killed"


def test_a_suspended_runner_runs(stage):
    runner = in_a_runner(stage.folder, "time.sleep(600)")
    os.kill(runner.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, runner.pid, os.WSTOPPED | os.WNOWAIT)
    assert stage.state() == "running"
    runner.kill()
    runner.wait()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_another_process_of_the_same_number_is_not_the_runner(running, part):
    with open(running.path("runner"), "rb+") as file:
        identity = file.read().split()
        assert identity[0] == b"%d" % os.getpid()
        identity[part] = {0: b"1", 1: b"7", 2: b"another-boot"}[part]
        file.seek(0)
        file.truncate()
        file.write(b" ".join(identity))
    assert running.state() == ("rebooted" if part == 2 else "killed")


def test_a_runner_file_that_is_still_empty_is_a_start(stage):
    open(stage.path("runner"), "wb").close()
    assert stage.state() == "running"


def test_an_end_is_an_end_though_the_runner_is_gone(stage):
    in_a_runner(stage.folder, "stage.end()").wait()
    assert stage.state() == "ended"


def test_why_a_runner_could_not_go_on(running):
    assert running.failure() == ""
    running.fail("no \udcff reason")
    assert running.failure() == "no \\udcff reason"


def test_a_disk_without_room_for_the_reason_is_the_reason(running):
    with room(0):
        running.fail("x" * 10_000)
    assert running.failure() == f"the temporary folder {os.path.dirname(running.folder)} is full"
    assert not os.path.exists(running.work)
    os.unlink(running.path("runner"))
    make_old(running, module.KEPT + 1)
    remove_old_stages(os.path.dirname(running.folder))
    assert not os.path.exists(running.folder)


# The journal


def test_whole_records_from_an_offset_on(running):
    running.write({"a": 1})
    first, more = running.journal_from(0)
    assert (first, more) == (encode({"a": 1, "n": 1}), False)
    running.write({"b": "ä"})
    assert running.journal_from(len(first)) == (encode({"b": "ä", "n": 2}), False)
    assert running.journal_from(10**6) == (b"", False)


def test_no_journal_yet(stage):
    assert stage.journal_from(0) == (b"", False)


@pytest.mark.parametrize("torn", range(1, 40))
def test_a_record_that_is_half_written_is_left_for_later(running, torn):
    running.write({"a": 1})
    whole, second = encode({"a": 1, "n": 1}), encode({"b": {"c": "}"}, "n": 2})
    torn = min(torn, len(second) - 1)
    os.write(running._journal, second[:torn])
    data, more = running.journal_from(0)
    assert (data, more) == (whole, False)
    os.write(running._journal, second[torn:])
    assert running.journal_from(len(data)) == (second, False)


def test_a_long_journal_comes_in_several_answers(running, monkeypatch):
    monkeypatch.setattr(module, "ANSWER", 1000)
    for number in range(50):
        running.write({"text": "x" * (number * 17 % 300)})
    running.write({"text": "x" * 5000})
    running.write({"text": "the last"})
    offset, answers, more = 0, [], True
    while more:
        data, more = running.journal_from(offset)
        offset += len(data)
        answers.append(records_of(data))
    assert [record["n"] for answer in answers for record in answer] == list(range(1, 53))
    assert len(answers) > 5
    assert all(answers)


def test_a_stump_at_the_end_is_not_waited_for(running, monkeypatch):
    monkeypatch.setattr(module, "ANSWER", 10)
    running.write({"a": 1})
    os.write(running._journal, b'\n{"_":"half of a rec')
    data, _more = running.journal_from(0)
    assert records_of(data)[0]["a"] == 1
    assert running.journal_from(len(data)) == (b"", False)


@contextmanager
def room(size):
    """Meanwhile no file can grow beyond this size."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_who_asks_for_a_stage_that_has_failed_on_a_full_disk_is_told_why(running):
    """The runner lives on for a moment, and the lease was taken for the word that the disk is full."""
    with room(0):
        running.fail("x" * 10_000)
        assert running.state() == "running"
        running.await_end(0, 0)
    assert running.failure() == f"the temporary folder {os.path.dirname(running.folder)} is full"


def test_how_often_the_kernel_had_to_kill_is_noted_by_a_stage_that_lasts(running, monkeypatch, tmp_path):
    vmstat = tmp_path / "vmstat"
    monkeypatch.setattr(program_end, "VMSTAT", str(vmstat))
    vmstat.write_text("first 1\noom_kill 4\n")
    assert running.starved() == ""
    assert running.leased(60)
    assert running.starved() == ""
    vmstat.write_text("first 1\noom_kill 5\n")
    assert running.leased(60)  # it is noted once
    assert running.starved() == " (out of memory: the kernel killed 1 process meanwhile)"


def test_a_disk_without_room_for_that_note_ends_no_stage(running):
    with room(0):
        assert running.leased(60)
    assert running.starved() == ""


def test_what_does_not_fit_on_the_disk_waits(running):
    running.write({"text": "first"})
    with room(100):
        running.write({"text": "x" * 1000})
        running.write({"text": "third"})
        assert numbers_of(running) == [1]
    running.write({"text": "fourth"})
    assert numbers_of(running) == [1, 2, 3, 4]


def test_a_disk_that_has_room_again_at_the_end(running, monkeypatch):
    with room(10):
        running.write({"text": "x" * 1000})
    running.end()
    assert numbers_of(running) == [1]


def test_a_disk_that_stays_full_is_told(running, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with room(10):
        running.write({"text": "x" * 1000})
        with pytest.raises(OSError) as caught:
            running.end()
    assert str(caught.value) == "the journal cannot be written: File too large"
    assert running.state() == "running"


# Waiting


def test_a_stage_that_ended_is_not_waited_for(running):
    running.end()
    started = time.monotonic()
    running.await_end(100, 0)
    assert time.monotonic() - started < 60


def test_a_stage_that_runs_is_waited_for_and_keeps_its_lease(running):
    started = time.monotonic()
    time.sleep(0.1)
    running.await_end(0.5, 0)
    seconds = time.monotonic() - started
    assert 0.5 <= seconds < 60
    assert running.leased(seconds - 0.1)


def test_who_has_much_to_tell_is_not_waited_for(running, monkeypatch):
    monkeypatch.setattr(module, "ANSWER", 1000)
    running.write({"text": "x" * 1000})
    started = time.monotonic()
    running.await_end(100, 0)
    assert time.monotonic() - started < 60


# Cleaning


def test_what_was_collected_is_removed(running):
    running.end()
    base = os.path.dirname(running.folder)
    remove_collected_stages(base, ["another"])
    assert running.state() == "ended"
    remove_collected_stages(base, ["another", "stage"])
    assert running.state() == "unknown"


def test_what_runs_is_never_removed(running):
    make_old(running, 10 * module.KEPT)
    remove_collected_stages(os.path.dirname(running.folder), ["stage"])
    remove_old_stages(os.path.dirname(running.folder))
    assert running.state() == "running"


@pytest.mark.parametrize("end", ["stage.end()", "os._exit(1)"])
def test_what_is_over_for_a_day_is_removed(stage, end, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0)
    in_a_runner(stage.folder, end).wait()
    for age, there in ((0, True), (module.KEPT - 60, True), (module.KEPT + 60, False)):
        make_old(stage, age)
        remove_old_stages(os.path.dirname(stage.folder))
        assert os.path.exists(stage.folder) == there


@pytest.mark.parametrize("name", ["lease", "journal.jsonl"])
def test_a_day_counts_from_the_last_sign_of_life(stage, name):
    in_a_runner(stage.folder, "os._exit(1)").wait()
    make_old(stage, 10 * module.KEPT)
    os.utime(stage.path(name))
    remove_old_stages(os.path.dirname(stage.folder))
    assert stage.state() == "killed"


def test_other_things_beside_stages_stay(stage):
    base = os.path.dirname(stage.folder)
    for name in ("programs", "code-1"):
        os.mkdir(os.path.join(base, name))
        os.utime(os.path.join(base, name), (0, 0))
    open(os.path.join(base, "file"), "wb").close()
    remove_old_stages(base)
    assert sorted(os.listdir(base)) == ["cleaned", "code-1", "file", "programs", "stage"]


def test_old_stages_are_looked_for_once_an_hour(stage):
    base = os.path.dirname(stage.folder)
    in_a_runner(stage.folder, "stage.end()").wait()
    remove_old_stages(base)
    make_old(stage, 10 * module.KEPT)
    remove_old_stages(base)
    assert os.path.exists(stage.folder)
    os.utime(os.path.join(base, "cleaned"), (0, time.time() - module.PERIOD - 60))
    remove_old_stages(base)
    assert not os.path.exists(stage.folder)


def test_two_may_clean_at_once(tmp_path):
    for number in range(40):
        made = DetachedStage(str(tmp_path / f"s{number}"))
        made.create()
        make_old(made, 10 * module.KEPT)
    code = f"import {module.__name__} as module; module.PERIOD = 0; module.remove_old_stages({str(tmp_path)!r})"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=env) for _one in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert os.listdir(tmp_path) == ["cleaned"]
