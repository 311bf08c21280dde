# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of a group, made of the rows of its parts, on each database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import attempt, delta, run, step
from rack_recipes.errors import UsageError
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.result import Result
from rack_recipes.store.stored_plan import unpack_plan
from rack_recipes.store.writing.choose_part_results import (
    GROUP_STEP,
    Group,
    Missing,
    Part,
    choose_results,
    counts_of,
    missing_results,
)
from rack_recipes.store.writing.import_journal import import_journal
from rack_recipes.store.writing.record_to_rows import pack_plan
from rack_recipes.store.writing.write_group_run import join_parts, read_group

LATE = "late: it ended after the group was finished"
NO_HOST = "missing: no part of the group had this host"


def a_part(run_id: str, *hosts: str, whole: tuple[str, ...] = (), **fields: Any) -> Part:
    number = run_id.strip("ABCDEFGH")
    about = {"started": f"2026-11-25T0{number or 1}:00:00Z", "ended": "2026-11-25T09:00:00Z", "status": "passed"}
    plans = {"plan": {"a": frozenset(hosts)} if hosts else {}, "whole": {"a": frozenset(whole)} if whole else {}}
    return Part(run_id, f"job {run_id}", "c1", **{**about, "has_counts": True, **plans, **fields})


def result(host: str, verdict: str = "passed", step: str = "a", root: str = "", tries: int = 1) -> Result:
    own: Result = {"host": host, "step": step, "verdict": verdict, "tries": tries}
    return {**own, "parent": root or None, "stage": 1, "idx": 1, "scope": "host"}


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


HOSTS = [f"r{number}" for number in range(1000)]


def test_the_hosts_of_each_step_come_back_and_equal_lists_are_kept_once():
    steps = [{"name": f"s{n}", "hosts": HOSTS} for n in range(100)] + [{"name": "sum", "hosts": [""]}]
    plan = pack_plan({"steps": steps, "derived": {"x": {"kind": "ratio"}}})
    assert len(plan["hosts"]) == 2
    back = unpack_plan(plan)
    assert back["steps"] == {**{f"s{n}": HOSTS for n in range(100)}, "sum": [""]}
    assert back["derived"] == {"x": {"kind": "ratio"}}


def test_names_are_those_of_the_rows_of_results():
    long = "x" * 2000
    (step,) = unpack_plan(pack_plan({"steps": [{"name": long, "hosts": ["a\0b"]}]}))["steps"].items()
    assert len(step[0]) < 300
    assert "\0" not in step[1][0]


@pytest.mark.parametrize(
    "record",
    [{}, {"steps": 1}, {"steps": ["x", {"hosts": ["r1"]}, {"name": "s", "hosts": "r1"}], "derived": [1]}],
)
def test_what_is_no_plan_is_left_out(record):
    assert unpack_plan(pack_plan(record)) == {"steps": {}, "derived": {}}


Written = Callable[..., Path]
WHOLE = {"hosts": [["r1", "r2", "r3"]], "steps": {"compute": 0}}


def begin(run_id: str, *hosts: str, group: str = "g", hour: int = 1, **info: Any) -> dict[str, Any]:
    about = {"id": group, "part": f"job {run_id}", "info": info}
    return run(run_id, hosts, time=f"2026-11-25T{hour:02}:00:00.000000Z", group=about, controller=f"c{hour}")


def end(status: str = "passed", hour: int = 5, **fields: Any) -> dict[str, Any]:
    time = f"2026-11-25T{hour:02}:00:00.000000Z"
    return {"kind": "end", "time": time, "status": status, "exit_code": 0, "counts": {"passed": 1}, **fields}


def results_of(host: str, verdict: str = "passed", n: int = 1, mean: float = 2.5) -> list[dict[str, Any]]:
    measured = [{"name": "mean", "value": mean, "unit": "ms", "verdict": verdict}]
    ended = step(n + 1, host, verdict=verdict, attempts=[attempt()], measurements=measured, checks=1)
    return [delta(n, host, after={"mean": mean}), ended]


def verdicts(store: Engine, run_id: str = "g") -> dict[tuple[str, str], str]:
    return {(row["step"], row["host"]): row["verdict"] for row in recorded_runs.steps(store, run_id)}


@pytest.fixture
def two(store: Engine, journal: Written) -> Engine:
    """A group whose third host is in no part yet."""
    import_journal(store, journal([begin("A", "r1", whole=WHOLE), *results_of("r1"), end()], "A"))
    import_journal(store, journal([begin("B", "r2", hour=2), *results_of("r2", "failed"), end("failed")], "B"))
    return store


def test_parts_are_one_run(two: Engine):
    assert [row["run_id"] for row in recorded_runs.runs(two)] == ["g"]
    assert recorded_runs.newest(two) == "g"
    whole = recorded_runs.run(two, "g")
    assert (whole["status"], whole["exit_code"], whole["hosts"]) == ("failed", 1, 3)
    assert (whole["counts"], whole["checks"]) == ({"error": 1, "failed": 1, "passed": 1}, 2)
    assert (whole["started"], whole["controller"]) == ("2026-11-25T01:00:00.000000Z", "c1, c2")
    assert (whole["test_id"], whole["tester"]) == ("T-17", "Zoë")
    assert verdicts(two) == {("compute", "r1"): "passed", ("compute", "r2"): "failed", ("compute", "r3"): "error"}
    assert whole["group_info"]["missing"] == ["r3"]
    plan = recorded_runs.plan(two, "g")
    assert plan
    assert plan["steps"] == {"compute": ["r1", "r2", "r3"]}


def test_details_come_with_the_results(two: Engine):
    assert [(row["host"], row["value"]) for row in recorded_runs.measurements(two, "g")] == [("r1", 2.5), ("r2", 2.5)]
    assert [(row["seq"], row["host"], row["version"]) for row in recorded_runs.history(two, "g")] == [
        (1, "r1", 1),
        (2, "r2", 1),
    ]


def test_the_missing_host_comes_late(two: Engine, journal: Written):
    join_parts(two, "g", finish=True)
    import_journal(two, journal([begin("C", "r3", hour=3), *results_of("r3"), end()], "C"))
    assert verdicts(two)["compute", "r3"] == "passed"
    assert recorded_runs.run(two, "g")["group_info"]["missing"] == []
    later = begin("D", "r2", hour=4) | {"time": "2999-11-25T00:00:00.000000Z"}
    import_journal(two, journal([later, *results_of("r2", mean=9.0), end()], "D"))
    whole = recorded_runs.run(two, "g")
    assert (whole["status"], whole["counts"]) == ("passed", {"passed": 3})
    note = whole["group_info"]["told"][-1]["note"]
    assert note.startswith("late: it began after the group was finished; hosts of an earlier part again: r2")
    assert [row["value"] for row in recorded_runs.measurements(two, "g")] == [2.5, 9.0, 2.5]
    changes = recorded_runs.history(two, "g", host="r2")
    assert [(row["version"], row["after"]) for row in changes] == [(1, {"mean": 2.5}), (2, {"mean": 9.0})]


def test_a_part_that_died_is_given_up_when_the_group_is_finished(two: Engine, journal: Written):
    import_journal(two, journal([begin("C", "r3", hour=3)], "C"))
    running = recorded_runs.run(two, "g")
    assert (running["status"], running["ended"], running["exit_code"]) == ("running", None, None)
    assert ("compute", "r3") not in verdicts(two)
    assert read_group(two, "g").is_running
    join_parts(two, "g", finish=True, hosts=["r1", "r9"])
    reasons = {row["host"]: row["reason"] for row in recorded_runs.steps(two, "g") if row["verdict"] == "error"}
    assert reasons == {
        "r3": "no result came of part job C (c3): its controller ended without a word",
        "r9": "missing: no part of the group had this host",
    }
    assert recorded_runs.run(two, "g")["status"] == "failed"
    assert [one["state"] for one in recorded_runs.run(two, "g")["group_info"]["told"]] == ["passed", "failed", "died"]


def test_parts_that_end_at_the_same_time(store: Engine, journal: Written):
    parts = [journal([begin(f"P{n}", f"h{n}", hour=n), *results_of(f"h{n}"), end()], f"P{n}") for n in range(1, 5)]
    threads = [Thread(target=import_journal, args=(store, part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorded_runs.run(store, "g")["counts"] == {"passed": 4}
    assert len(recorded_runs.history(store, "g")) == 4


def test_files_stay_in_the_folder_of_their_part(store: Engine, journal: Written):
    file = {"kind": "artifact", "stage": 1, "n": 3, "host": "r1", "step": "compute", "attempt": 1, "name": "log"}
    about = {"sha256": "ab", "size": 3, "time": "2026-11-25T01:00:00.000000Z"}
    moved = {"kind": "transfer", "stage": 1, "host": "r1", "sha256": "ab", "note": "", "time": about["time"]}
    records = [begin("A", "r1"), *results_of("r1"), file | about, moved | {"path": "artifacts/ab"}, end()]
    import_journal(store, journal(records, "A"))
    assert [row["path"] for row in recorded_runs.artifacts(store, "g")] == ["../A/artifacts/ab"]


def test_there_must_be_a_group(store: Engine, journal: Written):
    with pytest.raises(UsageError, match="there is no group 'g' in the store"):
        join_parts(store, "g", finish=True)
    import_journal(store, journal([run("g")], "g"))
    with pytest.raises(UsageError, match="there is a run 'g' already, which is no group: give the group another id"):
        import_journal(store, journal([begin("A", "r1")], "A"))
