# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import cProfile
import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import (
    artifact,
    delta,
    end,
    first,
    planned,
    step,
)
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.run.launcher.progress_and_summary import Progress, StatusLine, Summary, summarize
from rack_recipes.run.missing_results_and_artifacts import transfer_record

HOSTS = ("r1", "r2", "r3", "r4", "r5")
STEPS = (planned("a", *HOSTS), planned("odd", "r1", "r3"), planned("total", "", stage=2), planned("z", *HOSTS, stage=3))


def line(path: Path, *records: dict[str, Any], steps: tuple[RunStep, ...] = STEPS) -> str:
    append(path, [first(*steps, hosts=HOSTS), *records])
    progress = Progress.of(path)
    progress.catch_up()
    return progress.line()


def done(name: str, *hosts: str, verdict: str = "passed") -> list[dict[str, Any]]:
    """The step's results, each with a number of its own."""
    first_number = 10 * [each.name for each in STEPS].index(name) + 1
    return [step(name, host, verdict, number) for number, host in enumerate(hosts, start=first_number)]


ODD = done("odd", "r1", "r3")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], "stage 1 of 3  0 of 13 steps  0 of 5 hosts done  waiting for r1, r2, r3 and 2 more  0 s"),
        (done("a", "r2", "r4"), "stage 1 of 3  2 of 13 steps  0 of 5 hosts done  waiting for r1, r3, r5  0 s"),
        (
            [*done("a", "r1", verdict="failed"), *done("a", "r2", verdict="error"), *ODD],
            "stage 1 of 3  4 of 13 steps  0 of 5 hosts done  1 error, 1 failed  waiting for r3, r4, r5  0 s",
        ),
        ([*done("a", *HOSTS), *ODD], "stage 2 of 3  7 of 13 steps  0 of 5 hosts done  0 s"),
        (
            [*done("a", *HOSTS), *ODD, *done("total", ""), *done("z", "r1", "r2", "r3")],
            "stage 3 of 3  11 of 13 steps  3 of 5 hosts done  waiting for r4, r5  0 s",
        ),
        (
            [*done("a", *HOSTS), *ODD, *done("total", ""), *done("z", *HOSTS)],
            "stage 3 of 3  13 of 13 steps  5 of 5 hosts done  storing the results  0 s",
        ),
    ],
)
def test_how_far_a_run_is(tmp_path: Path, records: list[dict[str, Any]], expected: str):
    assert line(tmp_path / "journal.jsonl", *records) == expected


def test_of_many_hosts_only_their_number_is_told(tmp_path: Path):
    hosts = [f"r{number:04}" for number in range(1000)]
    path = tmp_path / "journal.jsonl"
    steps = tuple(planned(name, *hosts) for name in ("a", "b"))
    told = line(
        path, *(step(name, host, "passed", n) for host in hosts[:979] for n, name in enumerate("ab")), steps=steps
    )
    assert told == "stage 1 of 1  1958 of 2000 steps  979 of 1000 hosts done  waiting for 21 hosts  0 s"
    progress = Progress.of(path)
    append(path, [step("a", hosts[979]), step("b", hosts[979], "failed", 2)])
    progress.catch_up()
    ended = "1960 of 2000 steps  980 of 1000 hosts done  1 failed"
    assert progress.line() == f"stage 1 of 1  {ended}  waiting for r0980, r0981, r0982 and 17 more  0 s"


def test_a_line_costs_the_same_with_many_results(tmp_path: Path):
    """It is drawn ten times a second."""
    few, many = (Progress.of(tmp_path / f"{count}.jsonl") for count in (100, 1000))
    for progress, count in ((few, 100), (many, 1000)):
        hosts = [f"r{number}" for number in range(count)]
        append(progress.journal.path, [first(*(planned(f"s{number}", *hosts) for number in range(20)), hosts=hosts)])
        progress.catch_up()
    assert _calls(many.line) == _calls(few.line)


def _calls(function: Callable[[], object]) -> int:
    """How many calls of functions one call of this one makes."""
    profile = cProfile.Profile()
    profile.runcall(function)
    return sum(entry.callcount for entry in profile.getstats())


def test_a_refused_write_is_told_before_the_recorder_has_said_so(tmp_path: Path):
    """The record of r2 says `passed`: it knows nothing of the write of r1."""
    head = {**first(*STEPS, hosts=HOSTS), "merge": [{"keys": "a.key_v1", "policy": "fail"}]}
    path = tmp_path / "journal.jsonl"
    append(path, [head, *(delta("a.key_v1", host, host, scope="run") for host in ("r1", "r2")), *done("a", "r1", "r2")])
    progress = Progress.of(path)
    progress.catch_up()
    assert "  2 of 13 steps  0 of 5 hosts done  1 error  " in progress.line()
    append(path, [step("a", "r2", "error", 0, final=True)])
    progress.catch_up()
    assert "  1 error  " in progress.line()


def test_of_a_looped_step_the_instances_are_told(tmp_path: Path):
    loop = [step(f"a[{n}]", "r1", "failed", n, parent="a") for n in (1, 2)]
    told = line(tmp_path / "journal.jsonl", *loop, step("a", "r1", "failed", 3, instances=2))
    assert "1 of 13 steps" in told
    assert "  2 failed  " in told


def test_before_the_journal_is_there(tmp_path: Path):
    progress = Progress.of(tmp_path / "journal.jsonl")
    progress.catch_up()
    assert progress.line() == "starting"
    assert not progress.end


def test_it_follows_what_is_written_meanwhile(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    progress = Progress.of(path)
    append(path, [first(planned("a", "r1"), hosts=("r1",))])
    progress.catch_up()
    assert progress.line().startswith("stage 1 of 1  0 of 1 steps")
    append(path, [step("a", "r1")])
    with path.open("ab") as journal:
        journal.write(b"noise\n")
    append(path, [end(passed=1)])
    progress.catch_up()
    assert progress.line().startswith("stage 1 of 1  1 of 1 steps  1 of 1 hosts done")
    assert progress.end["status"] == "passed"


def test_nothing_is_drawn_where_there_is_no_terminal():
    stream = io.StringIO()
    drawing = StatusLine(stream)
    drawing.draw("text")
    drawing.clear()
    assert (drawing.shown, stream.getvalue()) == (False, "")


def test_a_terminal_that_is_gone_is_no_fault():
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w")
    drawing = StatusLine(stream)
    os.close(ours)
    drawing.draw("text")
    drawing.clear()
    assert not drawing.shown
    with suppress(OSError):  # what could not be written still waits
        stream.close()


def test_a_line_fits_the_terminal_and_is_drawn_anew():
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        drawing = StatusLine(stream)
        drawing.draw("x" * 50)
        assert os.read(ours, 1000) == b"\r\x1b[K" + b"x" * 19
        drawing.draw("short")
        drawing.draw("short")  # would remove what Ansible asks for meanwhile
        assert os.read(ours, 1000) == b"\r\x1b[Kshort"
        drawing.clear()
        assert os.read(ours, 1000) == b"\r\x1b[K"
        drawing.draw("short")
        assert os.read(ours, 1000) == b"\r\x1b[Kshort"
    os.close(ours)


NOISE = b'\n{"_":"0000000000000000","kind":"end"}\nno record at all\n\n\xff\xfe\n'


def journal(folder: Path, *records: dict[str, Any] | bytes) -> Path:
    path = folder / "journal.jsonl"
    for record in records:
        if isinstance(record, bytes):
            with path.open("ab") as file:
                file.write(record)
        else:
            append(path, [record])
    return path


def test_what_the_recorder_warned_of(tmp_path: Path):
    warning = {"kind": "warning", "time": "2026-01-01T00:00:00.000000Z", "text": "r1, r2 are one host"}
    found = summarize(journal(tmp_path, first(), warning, step("a", "r1"), end(passed=1)))
    assert found.warnings == ("r1, r2 are one host",)
    assert found.to_data()["warnings"] == ["r1, r2 are one host"]


def test_a_run_that_passed(tmp_path: Path):
    records = (first(), delta("b.key_v1", 1), delta("a.key_v1", 2, n=2), step("a", "r1", n=3), end(passed=1))
    found = summarize(journal(tmp_path, *records))
    expected = Summary("R1", "passed", 0, {"passed": 1}, ("a.key_v1", "b.key_v1"), hosts=("r1", "r2"))
    assert found == expected
    assert found.to_data() == {
        "status": "ok",
        "run_id": "R1",
        "ctx_keys": ["a.key_v1", "b.key_v1"],
        "counts": {"passed": 1},
        "hosts": 2,
        "inventory": [],
        "this_machine_alone": False,
    }


def test_waived_failures_are_counted_apart(tmp_path: Path):
    records = (
        first(),
        step("a", "r1", "waived", reason="waived by bob"),
        step("a", "r2", n=2),
        end(passed=1, waived=1),
    )
    found = summarize(journal(tmp_path, *records))
    assert (found.waived, found.problems) == ((("a", "r1"),), ())
    assert found.to_data()["counts"] == {"passed": 1, "waived": 1}


def test_a_run_that_failed(tmp_path: Path):
    records = (
        first(),
        step("a", "r1", "failed", reason="too hot"),
        step("b", "r1", "blocked", 2),
        step("c", "r1", "skipped", 3),
        step("d", "r1", "marginal", 4),
        step("a", "r2", "unreachable", 0, "gone"),
        end("failed", 1, failed=1),
    )
    found = summarize(journal(tmp_path, *records))
    assert (found.status, found.exit_code, found.to_data()["status"]) == ("failed", 1, "failed")
    assert found.problems == (("a", "r1", "failed", "too hot"), ("a", "r2", "unreachable", "gone"))


def test_an_artifact_that_did_not_arrive_is_a_warning(tmp_path: Path):
    one, two, late = artifact(b"one"), artifact(b"two", n=2, name="b.log"), artifact(b"two", "r2", name="b.log")
    moved = [transfer_record(one), transfer_record(two, "reset"), transfer_record(late, "reset"), transfer_record(late)]
    found = summarize(journal(tmp_path, first(), one, two, late, step("a", "r1", n=3), *moved, end(passed=1)))
    assert (found.status, found.exit_code) == ("passed", 0)
    assert found.to_data()["warnings"] == ["artifact b.log of step a on r1 is missing: reset"]


def test_damaged_lines_are_told_and_cost_nothing_else(tmp_path: Path):
    records = (first(), NOISE, step("a", "r1"), b'{"_":"torn', NOISE, end(passed=1), b'{"_":"still being written')
    path = journal(tmp_path, *records)
    told = f"{path} has damaged lines, which cannot be read: 4, 5, 7, 10, 11 and 2 more"
    assert summarize(path) == Summary("R1", "passed", 0, {"passed": 1}, warnings=(told,), hosts=("r1", "r2"))


@pytest.mark.parametrize(
    ("hosts", "inventory", "place"),
    [
        (["r1", "r2"], ["inventory.yml"], "on 2 hosts of inventory.yml"),
        (["r1"], ["lab", "/etc/rack/hall.yml"], "on 1 host of lab, /etc/rack/hall.yml"),
        (["r1", "r2"], ["r1,r2," + "x" * 200], f"on 2 hosts of r1,r2,{'x' * 94}"),
        (["r1", "r2"], [], "on 2 hosts"),
        (["localhost"], ["localhost,"], "on this machine alone"),
        (["localhost"], ["inventory.yml"], "on this machine alone"),
        (["localhost", "r1"], ["inventory.yml"], "on 2 hosts of inventory.yml"),
        ([], [], ""),
    ],
)
def test_the_summary_says_which_hosts_it_was(hosts: list[str], inventory: list[str], place: str, tmp_path: Path):
    record = {**first(hosts=tuple(hosts)), **({"inventory": inventory} if inventory else {})}
    found = summarize(journal(tmp_path, record, end(passed=1)))
    assert found.place() == place
    about = {"hosts": len(hosts), "inventory": inventory, "this_machine_alone": place == "on this machine alone"}
    assert {name: found.to_data()[name] for name in about} == about


def test_without_an_end_it_was_interrupted(tmp_path: Path):
    found = summarize(journal(tmp_path, first(), step("a", "r1")))
    assert (found.status, found.exit_code, found.counts) == ("interrupted", 1, {})


def test_the_last_end_counts(tmp_path: Path):
    found = summarize(journal(tmp_path, first(), end("interrupted", 1), step("a", "r1"), end(passed=1)))
    assert (found.status, found.exit_code) == ("passed", 0)


@pytest.mark.parametrize("content", [None, b"", b"\n\n", NOISE])
def test_a_journal_without_a_run(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "journal.jsonl").write_bytes(content)
    assert summarize(tmp_path / "journal.jsonl") == Summary()
    assert Summary().run_id == ""


def test_a_journal_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(JournalError, match="Is a directory"):
        summarize(tmp_path)
