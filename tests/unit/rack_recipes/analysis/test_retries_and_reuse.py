# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.analysis import run_statistics
from rack_recipes.analysis.run_data import RunData, arrange_run

LOOPED = [
    {"host": "r1", "step": "port", "verdict": "failed", "instances": 2, "flake": True, "source_run": "R0"},
    {"host": "r1", "step": "port[a]", "parent": "port", "verdict": "passed"},
    {"host": "r1", "step": "port[b]", "parent": "port", "verdict": "failed", "reason": "down"},
    {"host": "r2", "step": "port", "verdict": "skipped", "reason": "the loop is empty", "instances": 0},
]


def steps(*rows):
    return arrange_run(RunData(run={}, steps=rows))


def records(rows, *names):
    return [tuple(row.get(name) for name in names) for row in rows]


def step(host="r1", name="one", **fields):
    return {"host": host, "step": name, "verdict": "passed", **fields}


def test_instances_count_for_their_step():
    run = steps(*LOOPED)
    assert [row["step"] for row in run.results] == ["port[a]", "port[b]", "port"]
    assert records(run_statistics.counts(run), "verdict", "results") == [("failed", 1), ("skipped", 1), ("passed", 1)]
    assert run_statistics.passed_after_retry(run) == run_statistics.reused_results(run) == []


def test_a_step_with_rounds_is_not_retried_for_them():
    run = steps(
        step(tries=3, rounds={"count": 3, "passed": 3}),
        step("r2", tries=4, rounds={"count": 3, "passed": 3}, flake=True),
        step("r3", tries=2),
        step("r4", tries=1),
    )
    assert records(run_statistics.by_step(run, run_statistics.timed_results(run)), "results", "retried") == [(4, 2)]


@pytest.mark.parametrize(
    ("attempts", "first"),
    [
        ([{"verdict": "failed", "reason": "down"}, {"verdict": "passed"}], "failed: down"),
        ([{"verdict": "error", "reason": ""}], "error: no reason given"),
        (
            [{"verdict": "failed", "waiting": True, "reason": "not yet"}, {"verdict": "error", "reason": "x"}],
            "error: x",
        ),
        ([{"verdict": "passed"}], None),
        ([], None),
        (None, None),
    ],
)
def test_a_flake_has_its_first_failure(attempts, first):
    (row,) = records(
        run_statistics.passed_after_retry(steps(step(flake=True, attempts=attempts), step("r2", flake=False))),
        "host",
        "first",
    )
    assert row == ("r1", first)


def test_reused_results_are_gathered_by_run():
    run = steps(
        step("r1", verdict="cached", source_run="R1"),
        step("r2", verdict="cached", source_run="R1"),
        step("r3", verdict="passed", source_run="R0"),
        step("r4"),
    )
    found = records(run_statistics.reused_results(run), "step", "verdict", "source_run", "results", "first_host")
    assert found == [("one", "cached", "R1", 2, "r1"), ("one", "passed", "R0", 1, "r3")]


def test_hooks_are_gathered_the_gravest_first():
    late = {"hook": "site.late", "when": "post_step", "verdict": "error", "reason": "no route"}
    check = {"hook": "site.check", "when": "pre_step", "verdict": "failed", "reason": ""}
    run = steps(step("r1", hooks=[late]), step("r2", hooks=[late, check, "odd"]), step("r3", hooks=[]), step("r4"))
    found = records(
        run_statistics.failed_hooks(run), "hook", "when", "step", "verdict", "reason", "results", "first_host"
    )
    assert found == [
        ("site.check", "pre_step", "one", "failed", "", 1, "r2"),
        ("site.late", "post_step", "one", "error", "no route", 2, "r1"),
    ]


def measured(*cells):
    return [
        {"host": host, "step": name, "n": n, "name": what, "value": value, "unit": "" if "count" in what else "ms"}
        for n, (host, name, what, value) in enumerate(cells, 1)
    ]


def test_rounds_with_their_statistics():
    rows = [
        step("r1", "soak", rounds={"count": 100, "passed": 99}, verdict="failed"),
        step("r2", "soak", rounds={"count": 2, "passed": 2}),
        step("r1", "other"),
    ]
    run = arrange_run(
        RunData(
            run={},
            steps=rows,
            measurements=measured(
                ("r1", "soak", "a.b", 3),
                ("r1", "soak", "a.b.count", 100),
                ("r1", "soak", "a.b.min", 1),
                ("r1", "soak", "a.b.mean", 2.5),
                ("r1", "soak", "a.b.max", 4),
                ("r1", "soak", "a.b.stdev", 0.5),
                ("r1", "soak", "a.b.p95", 3.75),
                ("r1", "soak", "c.mean", 7),
                ("r1", "other", "d.mean", 8),
            ),
        )
    )
    found = run_statistics.repeated_results(run)
    names = ("host", "verdict", "rounds", "passed", "name", "unit", "min", "mean", "max", "stdev", "p95")
    assert records(found, *names) == [
        ("r1", "failed", 100, 99, "a.b", "ms", 1.0, 2.5, 4.0, 0.5, 3.75),
        ("r1", "failed", 100, 99, "c", "ms", None, 7.0, None, None, None),
        ("r2", "passed", 2, 2, None, None, None, None, None, None, None),
    ]
    assert sorted(row["name"] for row in run_statistics.without_statistics_of_rounds(run)) == ["a.b", "d.mean"]


@pytest.mark.parametrize(
    "figure",
    [
        run_statistics.passed_after_retry,
        run_statistics.reused_results,
        run_statistics.failed_hooks,
        run_statistics.not_run,
    ],
)
def test_no_results(figure):
    assert figure(steps()) == []


def test_no_rounds():
    run = arrange_run(RunData(run={}, steps=[step()], measurements=measured(("r1", "one", "x.mean", 1))))
    assert run_statistics.repeated_results(run) == []
    assert run_statistics.without_statistics_of_rounds(run) == run.measurements
