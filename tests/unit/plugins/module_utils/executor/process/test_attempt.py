# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import resource
import select
import signal
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.process import attempt as module
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import kill_processes
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    children_of,
    has_died,
    open_files,
)


def shell(text):
    """The program of a shell script."""
    return ["/bin/sh", "-c", text], dict(os.environ)


def follow(attempt):
    """Read and wait as a stage does, until the child has ended."""
    while not attempt.has_ended():
        for pipe in select.select(list(attempt.pipes), [], [], 0.02)[0]:
            attempt.read(pipe)
        attempt.check()
    if attempt.stopped:
        assert kill_processes(range(attempt.mark, attempt.mark + 1), attempt.pid) == ""
    attempt.finish()
    return attempt


def run(program, stdin=b"", timeout=None, changes=None):
    attempt = Attempt(timeout, (changes if changes is not None else []).append)
    attempt.start(stdin, program)
    return follow(attempt)


@pytest.fixture(autouse=True)
def nothing_stays():
    """No test leaves a child or an open file behind."""
    before = open_files()
    yield
    assert children_of(os.getpid()) == []
    assert open_files() == before


def test_a_program_reads_prints_and_ends():
    attempt = run(shell("cat; echo log >&2; exit 3"), b"given")
    assert (attempt.stdout.text(99), attempt.stderr.text(99)) == ("given", "log\n")
    assert (attempt.exit_code, attempt.signal, attempt.stopped) == (3, 0, "")


def test_any_amount_can_be_read_from_stdin():
    attempt = run(shell("wc -c"), b"x" * 10_000_000)
    assert attempt.stdout.text(99).strip() == "10000000"


def test_a_fork_sends_events():
    def program(emit):
        emit({"kind": "delta", "key": "a_v1"})
        emit({"kind": "measurement", "name": "m"})
        print("not seen, since nobody flushes it")
        emit({"kind": "ending", "verdict": "passed"})
        os._exit(4)

    changes = []
    attempt = run(program, changes=changes)
    assert changes == [{"key": "a_v1"}]
    assert attempt.measurements == [{"name": "m"}]
    assert attempt.ending == {"verdict": "passed"}
    assert attempt.exit_code == 4


def test_many_events_arrive_whole_and_in_order():
    def program(emit):
        for number in range(300):
            emit({"kind": "delta", "number": number, "text": "x" * (number * 37)})
        os._exit(0)

    changes = []
    run(program, changes=changes)
    assert [change["number"] for change in changes] == list(range(300))


@pytest.mark.parametrize("start", ["sleep 600 &", "(sleep 600 & sleep 600) &", "trap '' TERM; sleep 600 &"])
def test_a_process_in_the_background_does_not_delay_the_end(start):
    started = time.monotonic()
    attempt = run(shell(f"{start} echo $!"))
    assert time.monotonic() - started < 60
    assert (attempt.exit_code, attempt.stopped) == (0, "")
    assert has_died(int(attempt.stdout.text(99)))


def test_a_daemon_that_still_prints_does_not_delay_the_end(tmp_path):
    started = time.monotonic()
    daemon = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec yes' &"
    attempt = run(shell(f"{daemon} while [ ! -s {tmp_path}/pid ]; do sleep 0.05; done"))
    assert time.monotonic() - started < 60
    assert attempt.exit_code == 0
    assert has_died(int((tmp_path / "pid").read_text()))  # nobody reads from it: SIGPIPE


def test_time_is_up():
    attempt = run(shell("echo before; sleep 600"), timeout=1.5)
    assert (attempt.stopped, attempt.signal) == ("timed out after 1.5 s", signal.SIGTERM)
    assert attempt.stdout.text(99) == "before\n"


def test_a_group_is_ended_with_its_leader():
    attempt = run(shell("sh -c 'trap \"\" TERM; echo $$; sleep 600; sleep 600' & wait"), timeout=1.5)
    assert attempt.stopped
    assert has_died(int(attempt.stdout.text(99)))


def test_who_ignores_term_is_killed_two_seconds_later():
    started = time.monotonic()
    attempt = run(shell("trap '' TERM; while :; do sleep 0.1; done"), timeout=1.5)
    assert 3.5 <= time.monotonic() - started < 60
    assert (attempt.stopped, attempt.signal) == ("timed out after 1.5 s", signal.SIGKILL)


def test_who_takes_term_may_say_goodbye():
    attempt = run(shell("trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done"), timeout=1.5)
    assert (attempt.stdout.text(99), attempt.exit_code) == ("bye\n", 5)


def test_who_is_suspended_is_killed(monkeypatch):
    monkeypatch.setattr(module, "GRACE", 0.2)
    attempt = run(shell("kill -STOP $$"), timeout=0.2)
    assert attempt.signal == signal.SIGKILL


def test_a_child_can_be_stopped_at_once():
    attempt = Attempt(None, [].append)
    attempt.start(b"", lambda _emit: time.sleep(600))
    attempt.stop("not needed")
    follow(attempt)
    assert (attempt.stopped, attempt.signal) == ("not needed", signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE, 40])
def test_killed_by_a_signal(number):
    attempt = run(shell(f"kill -{int(number)} $$"))
    assert (attempt.exit_code, attempt.signal) == (0, number)


def test_a_program_has_the_usual_signals():
    attempt = run(shell("exec cat /proc/self/status"))
    status = dict(line.split(":\t") for line in attempt.stdout.text(9999).splitlines())
    assert {int(status[name], 16) for name in ("SigIgn", "SigBlk", "SigCgt")} == {0}


def test_a_fork_may_write_to_who_is_gone():
    def program(emit):
        read, write = os.pipe()
        os.close(read)
        try:
            os.write(write, b"x")
        except BrokenPipeError:
            emit({"kind": "ending", "verdict": "passed"})
        os._exit(0)

    assert run(program).ending == {"verdict": "passed"}


def test_a_fork_is_alone_in_its_session():
    def program(_emit):
        os.write(1, b"%d %d %d" % (os.getpid(), os.getsid(0), os.getpgid(0)))
        os._exit(0)

    assert len(set(run(program).stdout.text(99).split())) == 1


def test_a_fork_that_goes_wrong_says_so():
    def program(_emit):
        raise KeyError("\ud800")

    attempt = run(program)
    assert attempt.exit_code == 125
    assert attempt.stderr.text(99) == "cannot become the step: KeyError: '\\ud800'\n"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"hello\n", "what is no event: b'hello'"),
        (b"5\n", "what is no event: b'5'"),
        (b"{}\n", "what is no event: b'{}'"),
        (b"[]\n", "what is no event: b'[]'"),
        (b"\xff\n", "what is no event: b'\\xff'"),
        (b"x" * 1001, "a line of more than 1000 bytes"),
        (b'{"kind":"measurement","name":"a","value":1}\n' * 24, "more than 1000 bytes of measurements or findings"),
    ],
)
def test_what_is_no_event_stops_the_child(monkeypatch, data, what):
    monkeypatch.setattr(start_process, "LARGEST_EVENT", 1000)

    def program(emit):
        os.write(emit.events, data)
        time.sleep(0.1)
        os.write(emit.events, b'\n{"kind": "delta"}\n')
        time.sleep(600)

    changes = []
    attempt = run(program, changes=changes)
    assert attempt.stopped == f"stopped: it sent {what}"
    assert not changes


def test_a_line_without_end_is_not_kept():
    def program(emit):
        for _megabyte in range(100):
            os.write(emit.events, b"x" * 1024 * 1024)
        time.sleep(600)

    attempt = run(program)
    assert attempt.stopped == "stopped: it sent a line of more than 67108864 bytes"
    assert attempt._events is None


def test_half_an_event_at_the_end_is_none():
    def program(emit):
        emit({"kind": "delta", "key": "a_v1"})
        os.write(emit.events, b'{"kind": "delta", "key": "b_')
        os._exit(0)

    changes = []
    assert run(program, changes=changes).stopped == ""
    assert changes == [{"key": "a_v1"}]


def test_an_unknown_program_is_told():
    with pytest.raises(FileNotFoundError) as caught:
        run((["/no/such/interpreter", "x"], {}))
    assert caught.value.filename == "/no/such/interpreter"


def test_a_program_that_cannot_be_named_is_told():
    with pytest.raises(ValueError) as caught:
        run((["/bin/echo", "a\0b"], {}))
    assert "null" in str(caught.value)


def test_no_room_for_a_child(monkeypatch):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    for more in range(7):
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + more, limits[1]))
        try:
            with pytest.raises(OSError) as caught:
                run(lambda _emit: os._exit(0))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert caught.value.strerror == "Too many open files"


def test_what_is_recorded():
    attempt = run(shell("echo out; echo log >&2; i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"))
    record = attempt.record("passed", "why", "2026-11-25T12:00:00.123456Z")
    assert (record["verdict"], record["reason"], record["exit_code"], record["signal"]) == ("passed", "why", 0, 0)
    assert (record["stdout"], record["stderr"]) == ("out\n", "log\n")
    assert record["started"].endswith("Z")
    assert record["seconds"] > 0
    assert record["user_sec"] + record["system_sec"] > 0
    assert record["max_rss_kib"] > 100
    counted = ("in_blocks", "out_blocks", "voluntary_switches", "involuntary_switches")
    assert all(isinstance(record[name], int) for name in counted)


def test_children_of_a_child_are_counted():
    attempt = run(shell("sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'; true"))
    assert attempt.usage.ru_utime + attempt.usage.ru_stime > 0.02
