# SPDX-License-Identifier: GPL-3.0-or-later

"""The final word on each step and host."""

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.journal.step_results_and_end_status import (
    EXIT_CODES,
    Cell,
    CountedRecords,
    Results,
    StepEnd,
    status_of,
)

Record = dict[str, Any]


def step(verdict: str, n: int = 1, name: str = "a", **fields: Any) -> Record:
    return {"kind": "step", "stage": 1, "n": n, "host": "r1", "step": name, "verdict": verdict, **fields}


def results(*records: Record) -> Results:
    found = Results()
    for record in records:
        found.add(record)
    return found


@pytest.mark.parametrize(
    ("records", "verdict", "sure"),
    [
        ([step("failed"), step("passed", 2)], "passed", True),
        ([step("unreachable", 0), step("passed", 7)], "passed", True),
        ([step("passed", 7), step("error", 0)], "passed", True),
        ([step("unreachable", 0), step("error", 0)], "error", False),
        ([step("passed", 7), step("error", 0, final=True)], "error", True),
        ([step("error", 0, final=True), step("passed", 7)], "error", True),
        ([step("error", 0, final=True), step("failed", 0, final=True), step("passed", 0)], "failed", True),
    ],
)
def test_the_last_record_counts_but_never_a_guess_against_the_host_s_own(
    records: list[Record], verdict: str, sure: bool
):
    (end,) = list(results(*records).ended.values())
    assert (end.verdict, end.sure) == (verdict, sure)


def test_what_is_kept_of_a_record():
    full = step("failed", reason="hot", blocks=True, checks=3, parent="loop", attempts=[{}])
    assert results(full).ended == {("a", "r1"): StepEnd("failed", "hot", True, True, 3, 0, "loop")}
    assert results(step("passed")).ended == {("a", "r1"): StepEnd("passed")}


def test_instances_count_instead_of_their_looped_step():
    found = results(
        step("passed", 1, "a[x]", parent="a"),
        step("failed", 2, "a[y]", parent="a"),
        step("failed", 3, instances=2, blocks=True),
        step("skipped", 4, "empty", instances=0),
    )
    assert [place[0] for place, _end in found.counted()] == ["a[x]", "a[y]", "empty"]
    assert found.ended["a", "r1"].blocks


def test_the_record_that_counts_is_kept_whole():
    found = CountedRecords()
    for record in (step("passed", 7, seconds=2), step("error", 0), step("failed", name="b")):
        found.add(record)
    assert found == {("a", "r1"): step("passed", 7, seconds=2), ("b", "r1"): step("failed", name="b")}
    assert [*found] == [Cell("a", "r1"), Cell("b", "r1")]


VERDICTS = ("passed", "marginal", "failed", "error", "skipped", "blocked", "cached", "unreachable", "waived")


@pytest.mark.parametrize(
    ("verdicts", "status", "code"),
    [
        ("passed", "passed", 0),
        ("passed marginal cached waived", "passed", 0),
        ("passed skipped", "passed", 0),
        ("", "failed", 1),
        ("skipped", "failed", 1),
        ("passed failed", "failed", 1),
        ("passed error", "failed", 1),
        ("passed blocked", "failed", 1),
        ("blocked skipped", "failed", 1),
        ("passed unreachable", "unreachable", 3),
        ("unreachable blocked skipped", "unreachable", 3),
        ("unreachable failed", "failed", 1),
        ("unreachable error", "failed", 1),
        ("passed unheard_of", "failed", 1),
    ],
)
def test_status_and_exit_code(verdicts: str, status: str, code: int):
    counts = dict.fromkeys(verdicts.split(), 2)
    assert status_of({**dict.fromkeys(VERDICTS, 0), **counts}, 1) == status_of(counts, 1) == status
    assert EXIT_CODES[status] == code


@pytest.mark.parametrize(
    ("verdicts", "status"), [("passed", "unchecked"), ("passed skipped", "unchecked"), ("passed failed", "failed")]
)
def test_where_nothing_was_checked_nothing_passed(verdicts: str, status: str):
    assert status_of(dict.fromkeys(verdicts.split(), 1), 0) == status
    assert EXIT_CODES[status] == 1


@pytest.mark.parametrize(
    ("verdicts", "status", "code"),
    [
        ("skipped", "rehearsed", 0),
        ("passed skipped", "rehearsed", 0),
        ("", "failed", 1),
        ("skipped error", "failed", 1),
        ("skipped blocked", "failed", 1),
        ("skipped unreachable", "unreachable", 3),
    ],
)
def test_in_check_mode_nothing_has_to_pass(verdicts: str, status: str, code: int):
    assert status_of(dict.fromkeys(verdicts.split(), 1), 0, is_check=True) == status
    assert EXIT_CODES[status] == code


def test_what_is_waived_was_judged():
    assert status_of({"passed": 1, "waived": 1}, 0) == "passed"
    assert status_of({"waived": 1, "failed": 1}, 0) == "failed"
