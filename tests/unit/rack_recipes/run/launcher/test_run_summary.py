# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import artifact, delta, end, first, step
from rack_recipes.errors import JournalError
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import encode
from rack_recipes.run.launcher.progress_and_summary import Summary, summarize
from rack_recipes.run.missing_results_and_artifacts import transfer_record

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
    assert found == Summary("R1", "passed", 0, {"passed": 1}, ("a.key_v1", "b.key_v1"), ())
    assert found.to_data() == {
        "status": "ok",
        "run_id": "R1",
        "ctx_keys": ["a.key_v1", "b.key_v1"],
        "counts": {"passed": 1},
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
    assert summarize(path) == Summary("R1", "passed", 0, {"passed": 1}, warnings=(told,))


def test_a_line_that_a_killed_writer_left_is_none_of_the_damaged(tmp_path: Path):
    records = (first(), encode(step("a", "r1"))[:60], step("a", "r1"), end(passed=1))
    assert summarize(journal(tmp_path, *records)) == Summary("R1", "passed", 0, {"passed": 1})


def test_without_an_end_it_was_interrupted(tmp_path: Path):
    found = summarize(journal(tmp_path, first(), step("a", "r1")))
    assert (found.status, found.exit_code, found.counts) == ("interrupted", 1, {})


def test_the_last_end_counts(tmp_path: Path):
    found = summarize(journal(tmp_path, first(), end("interrupted", 1), step("a", "r1"), end(passed=1)))
    assert (found.status, found.exit_code) == ("passed", 0)


def test_a_result_counts_more_than_a_guess(tmp_path: Path):
    guess, result = step("a", "r1", "unreachable", 0, "gone"), step("a", "r1", "failed", 1, "hot")
    for number, records in enumerate(([guess, result], [result, guess])):
        folder = tmp_path / str(number)
        assert summarize(journal(folder, first(), *records)).problems == (("a", "r1", "failed", "hot"),)


def test_a_refused_write_fails_its_step_although_the_recorder_was_killed_before_it_said_so(tmp_path: Path):
    rules = {**first(), "merge": [{"keys": "r_v1", "policy": "fail"}]}
    writes = [{**delta("r_v1", host, host, scope="run"), "step": "a"} for host in ("r1", "r2")]
    found = summarize(journal(tmp_path, rules, *writes, step("a", "r1", n=2), step("a", "r2", n=2)))
    ((name, host, verdict, _reason),) = found.problems
    assert (name, host, verdict) == ("a", "r2", "error")


def test_of_a_looped_step_the_instances_are_told(tmp_path: Path):
    instances = [step("a[x]", "r1", parent="a"), step("a[y]", "r1", "failed", 2, "hot", parent="a")]
    found = summarize(journal(tmp_path, first(), *instances, step("a", "r1", "failed", 3, "a[y]", instances=2)))
    assert found.problems == (("a[y]", "r1", "failed", "hot"),)


@pytest.mark.parametrize("content", [None, b"", b"\n\n", NOISE])
def test_a_journal_without_a_run(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "journal.jsonl").write_bytes(content)
    assert summarize(tmp_path / "journal.jsonl") == Summary()
    assert Summary().run_id == ""


def test_a_journal_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(JournalError, match="Is a directory"):
        summarize(tmp_path)
