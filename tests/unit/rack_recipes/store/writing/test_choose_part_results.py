# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parts of a group come to, without a database."""

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.store.result import Result
from rack_recipes.store.writing.choose_part_results import (
    GROUP_STEP,
    Group,
    Missing,
    Part,
    choose_results,
    counts_of,
    missing_results,
)

LATE = "late: it ended after the group was finished"
NO_HOST = "missing: no part of the group had this host"


def a_part(run_id: str, *hosts: str, whole: tuple[str, ...] = (), **fields: Any) -> Part:
    number = run_id.strip("ABCDEFGH")
    about = {"started": f"2026-11-25T0{number or 1}:00:00Z", "ended": "2026-11-25T09:00:00Z", "status": "passed"}
    plans = {"plan": {"a": frozenset(hosts)} if hosts else {}, "whole": {"a": frozenset(whole)} if whole else {}}
    return Part(run_id, f"job {run_id}", "c1", **{**about, "has_counts": True, **plans, **fields})


def result(host: str, verdict: str = "passed", step: str = "a", root: str = "", tries: int = 1) -> Result:
    return Result(host, step, verdict, root or None, 1, 1, tries=tries)


def test_the_last_result_of_a_host_counts():
    found = choose_results(["A", "B"], {"A": [result("h1"), result("h2")], "B": [result("h1", "failed")]})
    assert found == {"A": {"h2": [result("h2")]}, "B": {"h1": [result("h1", "failed")]}}


def test_the_hosts_own_result_wins_over_an_assumed_one():
    lost = result("h1", "unreachable", tries=0)
    own = result("h1", "failed")
    assert choose_results(["A", "B"], {"A": [own], "B": [lost]}) == {"A": {"h1": [own]}, "B": {}}
    assert choose_results(["A", "B"], {"A": [lost], "B": [own]}) == {"A": {}, "B": {"h1": [own]}}
    assert choose_results(["A", "B"], {"A": [lost], "B": [lost]}) == {"A": {}, "B": {"h1": [lost]}}


def test_instances_go_with_their_looped_step():
    three = [*(result("h1", step=f"a[{n}]", root="a") for n in range(3)), result("h1", tries=0)]
    two = [three[0], three[-1]]
    assert choose_results(["A", "B"], {"A": three, "B": two}) == {"A": {}, "B": {"h1": two}}


@pytest.mark.parametrize(
    ("parts", "have", "missing"),
    [
        ([a_part("A", "h1", whole=("h1", "h2"))], ["h1"], [Missing("a", "h2", NO_HOST)]),
        ([a_part("A", "h1", whole=("h1", "h2")), a_part("B2", "h2", ended="")], ["h1"], []),
        (
            [a_part("A", "h1", status="interrupted", has_counts=False)],
            [],
            [Missing("a", "h1", "no result came of part job A (c1): its controller ended without a word")],
        ),
        (
            [a_part("A", "h1", status="interrupted")],
            [],
            [Missing("a", "h1", "no result came of part job A (c1): it ended as interrupted")],
        ),
    ],
)
def test_what_is_missing(parts: list[Part], have: list[str], missing: list[Missing]):
    chosen = {"A": {host: [result(host)] for host in have}}
    assert [*missing_results(Group("g", parts), chosen)] == missing


def test_a_part_that_runs_is_given_up_where_the_group_is_finished():
    parts = [a_part("A", "h1", ended="", status="running")]
    group = Group("g", parts, "2026-11-25T10:00:00Z")
    assert not group.is_running
    assert [one.host for one in missing_results(group, {})] == ["h1"]
    assert group.to_info()["told"][0]["state"] == "died"
    assert Group("g", parts).is_running
    assert [*missing_results(Group("g", parts), {})] == []


def test_hosts_that_somebody_named_are_missing_too():
    group = Group("g", [a_part("A", "h1")], named=("h1", "h9"))
    assert [*missing_results(group, {"A": {"h1": [result("h1")]}})] == [Missing(GROUP_STEP, "h9", NO_HOST)]
    assert group.to_info()["missing"] == ["h9"]


def test_what_is_said_of_parts():
    parts = [
        a_part("A1", "h1", "h2"),
        a_part("B2"),
        a_part("C3", "h2", ended="2026-11-25T09:30:00Z"),
        a_part("D7", "h3"),
    ]
    told = Group("g", parts, "2026-11-25T06:00:00Z").to_info()["told"]
    assert [(one["part"], one["state"], one["hosts"], one["note"]) for one in told] == [
        ("job A1", "passed", 2, LATE),
        ("job B2", "empty", 0, f"no host of its inventory matched; {LATE}"),
        (
            "job C3",
            "passed",
            1,
            f"{LATE}; hosts of an earlier part again: h2; what this part says of them counts",
        ),
        ("job D7", "passed", 1, "late: it began after the group was finished"),
    ]


@pytest.mark.parametrize(
    ("parts", "problems"),
    [
        ([a_part("A", "h1")], []),
        ([a_part("A", "h1", expected=2), a_part("B", "h2")], []),
        ([a_part("A", "h1", expected=2)], ["1 of 2 parts have come: nobody knows what became of the others"]),
        ([a_part("A", "h1", expected=2, ended="")], []),
        (
            [a_part("A", "h1", digest="x"), a_part("B", "h2", digest="y")],
            ["the parts did not run the same recipe: give each recipe a group of its own"],
        ),
    ],
)
def test_what_is_wrong_with_a_whole_group(parts: list[Part], problems: list[str]):
    assert [*Group("g", parts).problems()] == problems


def test_looped_steps_count_by_their_instances():
    assert counts_of([("passed", None), ("failed", 2), ("failed", None), ("passed", 0)]) == {"failed": 1, "passed": 2}
