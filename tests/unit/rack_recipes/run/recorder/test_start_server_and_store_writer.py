# SPDX-License-Identifier: GPL-3.0-or-later

"""The follower, a real process, and what the recorder hears of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, delta, end, planned, step
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run import processes
from rack_recipes.run.current_run import Run
from rack_recipes.run.recorder import start_server_and_store_writer
from rack_recipes.run.recorder.start_server_and_store_writer import StoreWriterClient
from rack_recipes.run.store_writer import LOOK
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    def made(**settings: Any) -> Run:
        return a_run(tmp_path / "runs", planned("a"), **{"db": f"sqlite:///{tmp_path}/results.db", **settings})

    return made


def stored(run: Run) -> list[str]:
    opened = connect_store(run.settings.db)
    found = [row["host"] for row in recorded_runs.steps(opened, run.run_id)]
    opened.dispose()
    return found


def is_made(run: Run) -> bool:
    return Path(run.settings.db.removeprefix("sqlite:///")).is_file()


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "did not happen within 60 s"
        time.sleep(0.05)


def pid_of(storing: StoreWriterClient) -> int:
    return storing._process.pid


def test_it_stores_when_asked_and_at_the_end(make_run: Callable[..., Run]):
    run = make_run()
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])
    assert storing.flush() == ""
    assert stored(run) == ["r1"]
    append(run.path, [step("a", "r2"), end(passed=2)])
    assert storing.finish() == ""
    assert stored(run) == ["r1", "r2"]
    assert storing._process.returncode == 0
    assert (run.folder / "follower.log").read_text() == ""


def test_it_stores_at_its_interval(make_run: Callable[..., Run]):
    run = make_run(flush_interval=0.1)
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])
    wait_until(lambda: is_made(run) and stored(run) == ["r1"])
    assert storing.finish() == ""


def test_it_stores_when_many_deltas_wait(make_run: Callable[..., Run]):
    run = make_run(flush_interval=3600.0, flush_deltas=3)
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1"), *(delta("a.key_v1", number, n=number) for number in range(1, 3))])
    time.sleep(2 * LOOK)
    assert not is_made(run)
    append(run.path, [delta("a.key_v1", 3, n=3)])
    wait_until(lambda: is_made(run) and stored(run) == ["r1"])
    assert storing.finish() == ""


def test_it_stores_soon_after_a_signal(make_run: Callable[..., Run]):
    """Nobody waits for it, and the answers to questions stay those to questions."""
    run = make_run(flush_interval=3600.0)
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])
    os.kill(os.getpid(), signal.SIGUSR1)
    wait_until(lambda: is_made(run) and stored(run) == ["r1"])
    append(run.path, [step("a", "r2")])
    os.kill(os.getpid(), signal.SIGUSR1)
    assert storing.flush() == ""
    assert stored(run) == ["r1", "r2"]
    assert storing.finish() == ""
    os.kill(os.getpid(), signal.SIGUSR1)


def test_a_signal_to_a_worker_does_nothing(make_run: Callable[..., Run]):
    run = make_run(flush_interval=3600.0)
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])
    pid = os.fork()
    if not pid:
        os.kill(os.getpid(), signal.SIGUSR1)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert not is_made(run)
    assert storing.finish() == ""


def test_a_store_that_is_away_is_tried_seldom_and_without_patience(make_run: Callable[..., Run], tmp_path: Path):
    (tmp_path / "results.db").mkdir()
    run = make_run(flush_interval=0.1)
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])

    def tried() -> int:
        return (run.folder / "follower.log").read_text().count("results.db")

    wait_until(lambda: tried() > 0)
    time.sleep(2.0)
    assert tried() < 8
    (tmp_path / "results.db").rmdir()
    wait_until(lambda: is_made(run) and stored(run) == ["r1"])
    assert storing.finish() == ""


def test_a_killed_recorder_leaves_an_interrupted_run_in_the_store(make_run: Callable[..., Run]):
    run = make_run()
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])
    storing._close()
    assert storing._process.wait(60) == 0
    [last] = [*JournalReader(run.path).records("end")]
    assert last
    assert (last["status"], last["exit_code"]) == ("interrupted", 1)
    opened = connect_store(run.settings.db)
    assert recorded_runs.run(opened, "R1")["status"] == "interrupted"
    opened.dispose()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_journal_that_cannot_be_ended_is_stored_for_all_that(make_run: Callable[..., Run]):
    run = make_run()
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])
    run.path.chmod(0o400)
    storing._close()
    assert storing._process.wait(60) == 0
    assert stored(run) == ["r1"]


def test_a_run_that_had_ended_keeps_its_end(make_run: Callable[..., Run]):
    run = make_run()
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1"), end(passed=1)])
    storing._close()
    assert storing._process.wait(60) == 0
    assert len([*JournalReader(run.path).records("end")]) == 1


def test_a_store_that_refuses_says_why_and_may_come_back(make_run: Callable[..., Run], tmp_path: Path):
    (tmp_path / "results.db").mkdir()
    run = make_run(store_timeout=60.0)
    storing = StoreWriterClient(run)
    problem = storing.flush()
    assert "results.db" in problem
    assert "\n" not in problem
    assert problem in (run.folder / "follower.log").read_text()
    (tmp_path / "results.db").rmdir()
    append(run.path, [step("a", "r1")])
    assert storing.finish() == ""
    assert stored(run) == ["r1"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_is_full_keeps_nobody_from_the_reason(make_run: Callable[..., Run], tmp_path: Path):
    run = make_run(store_timeout=60.0)
    (tmp_path / "results.db").mkdir()
    (run.folder / "follower.log").symlink_to("/dev/full")
    storing = StoreWriterClient(run)
    append(run.path, [step("a", "r1")])
    problem = storing.flush()
    assert "results.db" in problem
    (tmp_path / "results.db").rmdir()
    assert storing.finish() == ""
    assert stored(run) == ["r1"]


def test_a_password_is_neither_told_nor_shown_in_the_process_list(make_run: Callable[..., Run]):
    run = make_run(db="mysql://rack:s3cret@127.0.0.1:1/rack", store_timeout=1.0)
    storing = StoreWriterClient(run)
    assert b"s3cret" not in Path(f"/proc/{pid_of(storing)}/cmdline").read_bytes()
    assert "s3cret" not in storing.finish()
    assert "s3cret" not in (run.folder / "follower.log").read_text()


def test_a_follower_that_died_is_noticed(make_run: Callable[..., Run]):
    storing = StoreWriterClient(make_run())
    os.kill(pid_of(storing), signal.SIGKILL)
    storing._process.wait()
    ended = "the process that writes to the store has ended, see follower.log in the run's folder"
    assert storing.flush() == ended
    assert storing.finish() == ended


def test_a_follower_that_dies_while_it_is_asked_is_noticed(make_run: Callable[..., Run]):
    run = make_run()
    storing = StoreWriterClient(run)
    os.kill(pid_of(storing), signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (pid_of(storing), signal.SIGKILL)).start()
    assert storing.flush() == "the process that writes to the store gave no answer"
    assert storing.finish()


def test_an_answer_that_comes_too_late_is_not_taken_for_another(make_run: Callable[..., Run]):
    run = make_run(store_timeout=60.0)
    storing = StoreWriterClient(run)
    assert storing.flush() == ""
    storing._timeout = 0.2
    os.kill(pid_of(storing), signal.SIGSTOP)
    assert storing.flush() == "the store did not answer within 0.2 s"
    storing._timeout = 60.0
    append(run.path, [step("a", "r1")])
    os.kill(pid_of(storing), signal.SIGCONT)
    assert storing.finish() == ""
    assert stored(run) == ["r1"]


def test_a_store_that_hangs_is_not_waited_for_longer_than_allowed(make_run: Callable[..., Run]):
    storing = StoreWriterClient(make_run(store_timeout=0.3))
    os.kill(pid_of(storing), signal.SIGSTOP)
    assert storing.flush() == "the store did not answer within 0.3 s"
    assert storing.finish() == "the store did not answer within 0.3 s"
    assert storing._process.returncode == -signal.SIGKILL


def test_all_waits_of_one_ending_are_one(make_run: Callable[..., Run]):
    """A playbook flushes once its stages are done, and its run flushes at its end: there is nothing new by then."""
    storing = StoreWriterClient(make_run(store_timeout=2.0))
    os.kill(pid_of(storing), signal.SIGSTOP)
    started = time.monotonic()
    assert storing.flush() == "the store did not answer within 2 s"
    storing._timeout = 600.0
    assert storing.finish() == "the store did not answer within 2 s"
    assert 2.0 <= time.monotonic() - started < 300


def test_what_is_new_is_waited_for_anew(make_run: Callable[..., Run]):
    run = make_run(store_timeout=1.0)
    storing = StoreWriterClient(run)
    os.kill(pid_of(storing), signal.SIGSTOP)
    started = time.monotonic()
    assert storing.flush()
    append(run.path, [step("a", "r1")])
    assert storing.finish()
    assert time.monotonic() - started >= 2.0


def test_a_wait_that_is_over_tells_what_went_wrong_before(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(processes, "SHARE", 0.005)
    storing = StoreWriterClient(make_run(db="mysql://rack:x@127.0.0.1:1/rack", store_timeout=60.0))
    problem = storing.flush()
    assert "Can't connect" in problem
    os.kill(pid_of(storing), signal.SIGSTOP)
    storing._failed = storing._failed._replace(deadline=time.monotonic() + 0.2)
    assert storing.finish() == problem


def test_an_interrupt_at_the_terminal_does_not_reach_it(make_run: Callable[..., Run]):
    storing = StoreWriterClient(make_run())
    assert os.getsid(pid_of(storing)) == pid_of(storing)
    assert storing.finish() == ""


def test_without_its_packages_no_run_begins(monkeypatch):
    start_server_and_store_writer.check_packages()
    monkeypatch.setattr(start_server_and_store_writer, "NEEDED", ("json", "starlette_of_nobody"))
    with pytest.raises(UsageError, match="--serve needs the Python packages starlette_of_nobody: `pip install"):
        start_server_and_store_writer.check_packages()


def test_the_socket_lies_in_the_run_unless_the_path_is_too_long(tmp_path):
    assert start_server_and_store_writer._socket(Path("runs/R1")) == Path("runs/R1/ctx.sock")
    path = start_server_and_store_writer._socket(tmp_path / ("x" * 100))
    assert len(str(path)) < 60
    path.parent.rmdir()
