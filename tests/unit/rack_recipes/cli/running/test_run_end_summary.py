# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run's end, or a signal, makes of the command's answer."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path

import pytest

from rack_recipes.cli.running.run_end_summary import SHOWN_PROBLEMS, EndedError, answer_of, print_summary, report_of
from rack_recipes.errors import UsageError
from rack_recipes.report.report_formats_and_status import NAME
from rack_recipes.run.launcher.progress_and_summary import Summary

INTERRUPTED = Summary("R1", "interrupted", 143, {"error": 2})
PASSED = Summary("R1", "passed", 0, {"passed": 2})
SKIPPED = Summary("R1", "failed", 1, {"skipped": 4})
DIED = """\
TASK [Stage 1, disk] ***
[ERROR]: Task failed: one that was tolerated
...ignoring
[ERROR]: Attempting to decrypt but no vault secrets found.
Origin: group_vars/leafs.yml
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    made = tmp_path / "ansible.log"
    made.write_text("some output\n")
    return made


@pytest.mark.parametrize(
    ("summary", "code", "number", "expected"),
    [
        (INTERRUPTED, 143, signal.SIGTERM, ("interrupted", "ended by SIGTERM", 143)),
        (INTERRUPTED, 99, signal.SIGINT, ("interrupted", "ended by SIGINT", 130)),
        (INTERRUPTED, -9, 0, ("interrupted", "ended by SIGKILL", 137)),
        (INTERRUPTED, -9, signal.SIGHUP, ("interrupted", "ended by SIGHUP", 129)),
        (INTERRUPTED, 250, 0, ("interrupted", None, 143)),
        (PASSED, 0, signal.SIGTERM, ("ok", None, 0)),
    ],
)
def test_after_a_signal(summary: Summary, code: int, number: int, expected: tuple[str, str | None, int], log: Path):
    answer, exit_code = answer_of(summary, code, log, number)
    assert (answer["status"], answer.get("reason"), exit_code) == expected
    assert "journal" not in answer


def test_after_a_signal_without_a_store(log: Path, capsys: pytest.CaptureFixture[str]):
    log.write_text("[WARNING]: the results are not in the store (no space); they are safe in x\n")
    answer, code = answer_of(INTERRUPTED, 143, log, signal.SIGTERM)
    assert (answer["journal"], code) == (str(log.with_name("journal.jsonl")), 143)
    print_summary(INTERRUPTED, answer)
    assert capsys.readouterr().err.splitlines() == [
        "run R1 interrupted: 2 error",
        "ended by SIGTERM",
        f"the results are safe in {answer['journal']}: rack-recipes flush R1",
        "to go on from here: rack-recipes run --resume R1",
    ]


@pytest.mark.parametrize(
    ("waived", "line"),
    [
        ((("a", "r1"),), "1 failure is waived: a on r1: rack-recipes waivers list"),
        (
            (*(("a", f"r{n}") for n in range(5)), ("b", "")),
            "6 failures are waived: a on r0, r1, r2 and 2 more, b on the run: rack-recipes waivers list",
        ),
    ],
)
def test_the_last_lines_say_how_many_failures_are_waived(waived, line: str, capsys: pytest.CaptureFixture[str]):
    print_summary(Summary("R1", "passed", 0, {"waived": len(waived)}, waived=waived), {"status": "ok"})
    assert capsys.readouterr().err.splitlines() == [f"run R1 ok: {len(waived)} waived", line]


def test_what_ended_alike_on_a_host_is_one_line(capsys: pytest.CaptureFixture[str]):
    gone = [(step, "r1", "unreachable", "no route") for step in ("a", "b", "c")]
    others = [("a", f"r{number}", "failed", "") for number in range(2, 2 + SHOWN_PROBLEMS)]
    print_summary(Summary("R1", "failed", 1, {}, problems=(*gone, *others)), {"status": "failed"})
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["r1  a, b, c  unreachable: no route", "r2  a  failed: "]
    assert lines[SHOWN_PROBLEMS] == "and 1 more: rack-recipes show R1"


def test_a_log_that_takes_no_more_is_not_the_last_word(log: Path):
    """As on a full disk: what it says last may have been cut off."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, usual[1]))
    try:
        answer, code = answer_of(PASSED, 5, log)
        with pytest.raises(UsageError, match=f"^nothing was run: {log.parent}: File too large$"):
            answer_of(Summary(), 2, log)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert (answer["status"], answer["reason"], code) == ("not stored", f"{log.parent}: File too large", 5)
    assert answer["journal"] == str(log.with_name("journal.jsonl"))


@pytest.mark.parametrize(("code", "number"), [(-15, 0), (99, signal.SIGTERM), (1, signal.SIGTERM)])
def test_a_signal_before_anything_was_run(code: int, number: int, log: Path):
    with pytest.raises(EndedError, match="nothing was run: ended by SIGTERM") as caught:
        answer_of(Summary(), code, log, number)
    assert caught.value.exit_code == 143


def test_an_ansible_that_died_has_its_reason_told(log: Path, capsys: pytest.CaptureFixture[str]):
    log.write_text(DIED)
    interrupted = Summary("R1", "interrupted", 1, {"error": 2})
    answer, code = answer_of(interrupted, 4, log)
    vault = "[ERROR]: Attempting to decrypt but no vault secrets found."
    assert (answer["status"], code) == ("interrupted", 1)
    assert answer["reason"] == f"Ansible said ({log}):\n{vault}\nOrigin: group_vars/leafs.yml"
    print_summary(interrupted, answer)
    assert capsys.readouterr().err.splitlines() == [
        "run R1 interrupted: 2 error",
        f"Ansible said ({log}):",
        vault,
        "Origin: group_vars/leafs.yml",
        "to go on from here: rack-recipes run --resume R1",
    ]


def test_what_ansible_said_does_not_steer_the_terminal(log: Path, capsys: pytest.CaptureFixture[str]):
    log.write_text("[ERROR]: no \x1b[31mcarrier\n")
    answer, _code = answer_of(INTERRUPTED, 4, log)
    print_summary(INTERRUPTED, answer)
    assert "[ERROR]: no  [31mcarrier" in capsys.readouterr().err.splitlines()


def test_a_run_in_which_all_was_skipped_says_so(log: Path, capsys: pytest.CaptureFixture[str]):
    answer, code = answer_of(SKIPPED, 2, log)
    assert (answer["status"], answer["reason"], code) == ("failed", "no step of this run passed", 1)
    print_summary(SKIPPED, answer)
    assert capsys.readouterr().err == "run R1 failed: 4 skipped\nno step of this run passed\n"


@pytest.mark.parametrize("verdict", ["failed", "blocked", "passed"])
def test_other_verdicts_tell_their_own_reasons(verdict: str, log: Path):
    answer, _code = answer_of(Summary("R1", "failed", 1, {verdict: 1, "skipped": 4}), 2, log)
    assert "reason" not in answer


def test_a_report_that_was_not_written_is_told(capsys: pytest.CaptureFixture[str]):
    print_summary(PASSED, {"status": "ok", "report": [], "report_error": "no \x1b room (x/ansible.log)"})
    assert capsys.readouterr().err.splitlines()[1:] == ["no report was written: no   room (x/ansible.log)"]


def test_the_files_are_told_wherever_they_are(log: Path):
    (log.parent / NAME).write_text(json.dumps({"files": ["/team/report.md", "/team/csv/counts.csv"]}))
    assert report_of(log.parent, log) == {"report": ["/team/csv/counts.csv", "/team/report.md"]}


def test_the_reason_is_told_where_there_is_none(log: Path):
    (log.parent / NAME).write_text(json.dumps({"error": "no room"}))
    assert report_of(log.parent, log) == {"report": [], "report_error": f"no room ({log})"}


def test_an_empty_log_tells_nothing_more(log: Path):
    log.write_text("")
    assert report_of(log.parent, log)["report_error"] == "Ansible did not come to it (Ansible's output)"


@pytest.mark.parametrize(("check", "why"), [(False, "Ansible did not come to it"), (True, "check mode writes none")])
def test_a_task_that_was_not_run_is_told(check: bool, why: str, log: Path):
    (log.parent / "report").mkdir()
    (log.parent / "report" / "report.md").write_text("an older one")
    assert report_of(log.parent, log, check=check) == {"report": [], "report_error": f"{why} ({log})"}
