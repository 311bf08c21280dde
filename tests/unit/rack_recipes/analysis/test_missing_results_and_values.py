# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from rack_recipes.analysis import missing_results_and_values
from rack_recipes.analysis.findings import NOTABLE, PROBLEM, Finding, ResultId
from rack_recipes.analysis.run_data import RunData, arrange_run

NAN = float("nan")
HOSTS = ("r1", "r2", "r10")
PLAN = {"steps": {"ping": [*HOSTS], "idle": []}, "derived": {}}


def found(**rows: Any) -> list[Finding]:
    run = rows.pop("run", {"run_id": "R1", "ended": "2026-11-25T12:00:00Z"})
    return [*missing_results_and_values.findings(arrange_run(RunData(run=run, **rows)), Mock())]


def results(verdict: str = "passed", hosts: tuple[str, ...] = HOSTS) -> list[dict[str, Any]]:
    return [{"host": host, "step": "ping", "verdict": verdict} for host in hosts]


def measured(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"host": host, "step": "ping", "n": 1, "name": "t", "value": value} for host, value in values.items()]


def keys(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": "a.b_v1", "host": host, "step": "ping", "value": value} for host, value in values.items()]


def test_a_planned_result_that_nobody_has_is_named() -> None:
    (one,) = found(steps=results(hosts=("r2",)), plan=PLAN)
    assert one.title == "Nobody has 2 of 3 planned results of ping: r1, r10"
    assert (one.kind, one.grade, one.results) == (
        "evidence",
        PROBLEM,
        (ResultId("r1", "ping"), ResultId("r10", "ping")),
    )


def test_in_a_run_that_goes_on_results_are_not_missing_but_not_there_yet() -> None:
    (one,) = found(run={"run_id": "R1", "ended": None}, steps=results(hosts=("r2",)), plan=PLAN)
    assert one.title == "The run has not ended: nobody has 2 of 3 planned results of ping yet (r1, r10)"
    assert one.grade == NOTABLE


def test_a_run_with_all_its_results_lacks_nothing() -> None:
    assert found(steps=results(), plan=PLAN) == []


def test_without_a_plan_the_report_says_that_nobody_knows_it() -> None:
    (one,) = found(run={"run_id": "R1", "ended": "T", "journal": "/runs/R1/journal.jsonl"}, steps=results())
    assert (one.kind, one.grade) == ("evidence", "note")
    assert one.title.startswith("The plan of this run is not known: the first record of its journal is damaged")
    assert found(run={"run_id": "R1", "ended": "T", "journal": None}, steps=results()) == []


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"r1": 1, "r2": 0}, "missing"),
        ({"r1": 1, "r2": 0, "r10": None}, "empty"),
        ({"r1": 1, "r2": 0, "r10": ""}, "empty"),
        ({"r1": 1, "r2": 0, "r10": NAN}, "not a finite number"),
        ({"r1": 1, "r2": 0, "r10": float("inf")}, "not a finite number"),
    ],
)
def test_a_measurement_that_is_lost_is_no_zero(values: dict[str, Any], state: str) -> None:
    (one,) = found(steps=results(), measurements=measured(values))
    assert one.title == f"t of ping is lost on 1 host: r10 ({state}); 2 of 3 hosts have it"
    assert (one.grade, one.results) == (NOTABLE, (ResultId("r10", "ping", "t"),))


@pytest.mark.parametrize(("both", "is_lost"), [((None, 1), False), ((1, None), False), ((None, None), True)])
def test_of_several_values_of_one_name_one_is_enough(both: tuple[int | None, ...], is_lost: bool) -> None:
    several = [{"host": "r10", "step": "ping", "n": n, "name": "t", "value": value} for n, value in enumerate(both)]
    told = found(steps=results(), measurements=[*measured({"r1": 1, "r2": 0}), *several])
    assert bool(told) is is_lost


@pytest.mark.parametrize("value", [0, 0.0, False])
def test_a_zero_is_a_value(value: object) -> None:
    assert found(steps=results(), measurements=measured(dict.fromkeys(HOSTS, value))) == []


def test_only_where_a_step_passed_its_values_are_expected() -> None:
    rows = [*results(hosts=("r1", "r2")), *results("failed", ("r10",))]
    assert found(steps=rows, measurements=measured({"r1": 1, "r2": 2})) == []


def test_what_only_a_minority_has_is_not_lost_on_the_others() -> None:
    assert found(steps=results(), measurements=measured({"r1": 1})) == []


def test_a_key_that_is_missing_is_told_once_and_not_for_each_number_in_it() -> None:
    (one,) = found(steps=results(), context=keys({"r1": {"mean": 1, "n": 2}, "r2": {"mean": 1, "n": 2}}))
    assert one.title == "a.b_v1 is lost on 1 host: r10 (missing); 2 of 3 hosts have it"


@pytest.mark.parametrize("value", [{"n": 2, "mean": None}, {"n": 2}, {"n": 2, "mean": "-"}])
def test_a_number_inside_of_a_value_may_be_lost(value: object) -> None:
    (one,) = found(steps=results(), context=keys({"r1": {"mean": 1, "n": 2}, "r2": {"mean": 1, "n": 2}, "r10": value}))
    assert one.title == "a.b_v1.mean is lost on 1 host: r10 (missing); 2 of 3 hosts have it"
    assert one.results == (ResultId("r10", "ping"),)


def test_lists_may_have_different_lengths() -> None:
    assert found(steps=results(), context=keys({"r1": {"l": [1, 2]}, "r2": {"l": [1, 2]}, "r10": {"l": [1]}})) == []


def test_many_values_that_are_lost_are_capped() -> None:
    rows = [
        {"host": host, "step": "ping", "n": n, "name": f"t{n}", "value": 1} for host in ("r1", "r2") for n in range(50)
    ]
    assert found(steps=results(), measurements=rows)[-1].title == "30 further findings of this kind, not listed"


def test_names_that_hold_what_a_host_is_itself_are_not_lost_on_this_host() -> None:
    """Each of four leaves measures the ways to the other three: none has fewer values than its twins."""
    hosts = [f"leaf{number}" for number in range(1, 5)]
    rows = [
        {"host": host, "step": "ping", "n": n, "name": f"paths.{other}", "value": 2}
        for host in hosts
        for n, other in enumerate(hosts)
        if other != host
    ]
    assert found(steps=results(hosts=(*hosts,)), measurements=rows) == []
    # One that has fewer is asked about each name that it lacks, since nobody knows which of them it should have.
    titles = [one.title for one in found(steps=results(hosts=(*hosts,)), measurements=rows[1:])]
    assert sorted(titles) == [
        "paths.leaf1 of ping is lost on 1 host: leaf1 (missing); 3 of 4 hosts have it",
        "paths.leaf2 of ping is lost on 1 host: leaf1 (missing); 2 of 3 hosts have it",
    ]


@pytest.mark.parametrize(
    ("roles", "lost"),
    [
        ({"r1": "leaf", "r2": "leaf", "r3": "leaf", "r10": "server", "r11": "server"}, []),
        ({"r1": "leaf", "r2": "leaf", "r3": "leaf", "r10": "leaf", "r11": "leaf"}, ["2 hosts: r10 (missing), r11"]),
        ({"r1": "leaf", "r2": "server", "r3": "leaf", "r10": "server", "r11": "server"}, ["2 hosts: r10 (missing)"]),
        ({"r1": "leaf", "r2": "leaf", "r3": "leaf", "r10": "server", "r11": "spine"}, ["2 hosts: r10 (missing)"]),
        ({}, ["2 hosts: r10 (missing), r11 (missing); 3 of 5"]),
    ],
)
def test_what_no_twin_has_is_not_lost(roles: dict[str, str], lost: list[str]) -> None:
    hosts = ("r1", "r2", "r3", "r10", "r11")
    attributes = {host: {"role": role} for host, role in roles.items()}
    rows = measured({"r1": 1, "r2": 1, "r3": 1})
    titles = [one.title for one in found(steps=results(hosts=hosts), measurements=rows, attributes=attributes)]
    assert len(titles) == len(lost)
    assert all(part in title for part, title in zip(lost, titles, strict=True))
