# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import resource
import select
import signal
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.process import attempt as module
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import (
    HEAD,
    TAIL,
    Attempt,
    Lines,
    OutputCapture,
)
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.process_control import kill_processes
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
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


def captured(*pieces, **limits):
    capture = OutputCapture(**limits)
    for piece in pieces:
        capture.add(piece)
    return capture


def test_nothing():
    assert (captured().ending(), captured().text(100), captured().size) == (b"", "", 0)


@pytest.mark.parametrize("size", range(1, 60))
def test_the_end_is_kept_whatever_the_pieces(size):
    data = bytes(range(60))
    capture = captured(*(data[at : at + size] for at in range(0, 60, size)), head=10, tail=20)
    assert capture.size == 60
    assert capture.ending() == data[-20:]


def test_what_fits_is_kept_whole():
    assert captured(b"0123456789", b"abc", head=5, tail=8).ending() == b"0123456789abc"
    assert captured(b"0123456789", b"abcd", head=5, tail=8).ending() == b"6789abcd"


def test_memory_is_bounded():
    capture = OutputCapture()
    for _piece in range(400):
        capture.add(b"x" * 65536)
    assert len(capture._tail) <= 2 * TAIL + 65536
    assert len(capture._head) == HEAD


def test_text_of_a_long_output_is_its_head_and_tail():
    capture = captured(b"a" * 50, b"b" * 50, head=16, tail=64)
    assert capture.text(20) == "a" * 10 + "\n[... 80 bytes left out ...]\n" + "b" * 10


def test_text_of_any_bytes():
    assert captured(b"a\xff\xfe\0\xc3\xa4\xe2\x82").text(100) == "a\\xff\\xfe\\x00ä\\xe2\\x82"
    assert captured(b"\x9f\x98 b").text(100) == "\\x9f\\x98 b"


@pytest.mark.parametrize("shift", range(4))
def test_a_cut_leaves_no_half_of_a_character(shift):
    text = captured(b"x" * shift + "😀".encode() * 100).text(80)
    head, _note, tail = text.split("\n")
    assert head == "x" * shift + "😀" * len(head.replace("x", ""))
    assert tail == "😀" * len(tail)
    assert "\\x" not in text


def test_a_cut_in_bytes_that_are_no_text():
    text = captured(b"\x80" * 100).text(20)
    assert text.count("\\x80") == 20


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_put_together(size):
    data = b"one\n\ntwo two\nthree"
    lines = []
    collector = Lines(lines.append, 100)
    for at in range(0, len(data), size):
        collector.add(data[at : at + size])
    assert lines == [b"one", b"", b"two two"]


def test_a_line_that_is_too_long_is_refused():
    lines = []
    collector = Lines(lines.append, 10)
    collector.add(b"0123456789")
    with pytest.raises(ValueError) as caught:
        collector.add(b"a")
    assert str(caught.value) == "a line of more than 10 bytes"
    assert not lines


SECRET = "hunter2-hunter3"


def masked(*pieces, limit=100, **limits):
    return captured(*pieces, **limits).text(limit, Mask([SECRET]))


def test_secrets_are_taken_out_before_anything_is_cut_off():
    assert masked(b"a" * 40, SECRET.encode(), b"b" * 40) == "a" * 40 + "********" + "b" * 40
    text = masked(b"a" * 45, SECRET.encode(), b"b" * 500, SECRET.encode(), b"c" * 45)
    assert text == "a" * 45 + "*****\n[... 520 bytes left out ...]\n*****" + "c" * 45


def test_what_is_short_without_its_secrets_is_shown_whole():
    assert masked(f"{SECRET} ".encode() * 11) == "******** " * 11


@pytest.mark.parametrize("size", [16, 20, 60, 500])
def test_half_a_secret_where_output_was_not_kept_is_not_shown(size):
    pieces = [SECRET.encode()] * 10_000
    for shift in range(len(SECRET)):
        head, _note, tail = masked(b"." * shift, *pieces, head=size, tail=1000).split("\n")
        assert set(head + tail) <= {".", "*"}
        end = captured(b"." * shift, *pieces, head=size, tail=1000).end(400, Mask([SECRET]))
        assert end == "********"


def test_a_message_that_was_printed_is_cut_too():
    text = captured(f"ValueError: got {mark_if_long('x' * 1000)}\n".encode()).text(10_000)
    assert text == f"ValueError: got {'x' * 200}...\n"


def test_the_end_of_an_output():
    assert captured(b"a" * 50, b"end \n\n").end(6) == "aaaend"
    mask = Mask([SECRET])
    assert captured(b"a" * 50, SECRET.encode(), b" end \n").end(13, mask) == "a******** end"
    assert captured(b"x" * 30_000, SECRET.encode(), b" end\n").end(12, mask) == "******** end"
