# SPDX-License-Identifier: GPL-3.0-or-later

"""The final word on each step and host."""

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.journal.step_results_and_end_status import Cell, CountedRecords, Results, StepEnd

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
