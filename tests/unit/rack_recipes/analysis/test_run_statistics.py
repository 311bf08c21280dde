# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from statistics import median

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.analysis import run_statistics
from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.analysis.run_statistics import Metric, by_metric


def steps(*cells):
    """A run with (host, step, verdict, seconds, reason), each tried once."""
    names = ("host", "step", "verdict", "seconds", "reason")
    return a_run(*(dict(zip(names, cell, strict=False)) for cell in cells))


def a_run(*rows):
    """A run with rows that were tried once and passed, where they do not say anything else."""
    passed = {"host": "r1", "step": "a", "verdict": "passed", "tries": 1}
    return arrange_run(RunData(run={}, steps=[{**passed, **row} for row in rows]))


def measured(*cells):
    """The spread of (host, name, value, unit), all of one step."""
    rows = [
        {"host": host, "step": "one", "n": n, "name": name, "value": value, "unit": unit}
        for n, (host, name, value, unit) in enumerate(cells)
    ]
    run = arrange_run(RunData(run={}, measurements=rows))
    return run_statistics.by_measurement(run, run.measurements)


def by_step(run):
    return run_statistics.by_step(run, run_statistics.timed_results(run))


def slowest(run, *limit):
    return run_statistics.slowest(run_statistics.timed_results(run), *limit)


def told(rows, *names):
    return [tuple(row.get(name) for name in names) for row in rows]


def step(host="r1", name="one", **fields):
    return {"host": host, "step": name, "verdict": "passed", **fields}


def test_counts():
    run = steps(("r1", "a", "passed"), ("r2", "a", "failed"), ("r3", "a", "passed"), ("r4", "a", "odd"))
    found = told(run_statistics.counts(run), "verdict", "results", "share")
    assert found == [("odd", 1, 25.0), ("failed", 1, 25.0), ("passed", 2, 50.0)]


def test_what_passes_is_not_among_what_did_not_pass():
    run = steps(*((f"r{number}", "a", verdict) for number, verdict in enumerate([*VERDICTS, "odd"])))
    assert [row["verdict"] for row in run_statistics.not_passed(run)] == ["odd", "error", "failed", "unreachable"]
    assert [row["verdict"] for row in run_statistics.not_run(run)] == ["blocked", "skipped"]


def test_reasons_gather_hosts_the_most_first():
    run = steps(
        ("r1", "a", "failed", 1.0, "low"),
        ("r2", "a", "failed", 1.0, "high"),
        ("r3", "a", "failed", 1.0, "high"),
        ("r4", "a", "error", 1.0, None),
        ("r5", "a", "passed", 1.0, "high"),
    )
    assert told(run_statistics.reasons(run), "verdict", "reason", "hosts", "first_host") == [
        ("error", "", 1, "r4"),
        ("failed", "high", 2, "r2"),
        ("failed", "low", 1, "r1"),
    ]


def test_times_are_of_results_that_ran():
    run = steps(
        ("r1", "a", "passed", 1.0),
        ("r2", "a", "failed", 3.0),
        ("r3", "a", "marginal", 2.5),
        ("r4", "a", "skipped", 0.0),
        ("r5", "a", "cached", 0.0),
        ("r6", "a", "unreachable", None),
    )
    (row,) = by_step(run)
    assert (row["median"], row["max"], row["total"], row["slowest_host"]) == (2.5, 3.0, 6.5, "r2")
    assert (row["results"], row["passing"], row["failed"], row["error"]) == (6, 3, 1, 0)
    assert (row["unreachable"], row["not_run"]) == (1, 1)


NEVER_RAN = {
    "not tried": {"verdict": "error", "seconds": 0.0, "tries": 0, "reason": "not run: the run was interrupted"},
    "not said": {"seconds": 9.0, "tries": None},
    "reused": {"seconds": 9.0, "source_run": "R0", "reason": "reused from R0"},
}


@pytest.mark.parametrize("other", NEVER_RAN.values(), ids=NEVER_RAN)
def test_no_times_are_of_results_that_did_not_run_here(other):
    run = a_run({"seconds": 2.0}, {"host": "r2", **other})
    (row,) = by_step(run)
    assert (row["median"], row["max"], row["total"], row["slowest_host"]) == (2.0, 2.0, 2.0, "r1")
    assert [row["host"] for row in slowest(run)] == ["r1"]


def test_a_looped_step_has_times_where_an_instance_ran():
    looped = {"instances": 1, "tries": 0, "seconds": 3.0, "verdict": "error"}
    instance = {"step": "a[0]", "parent": "a", "seconds": 2.0}
    run = a_run(
        *(looped | {"host": host} for host in ("r1", "r2")),
        looped | {"host": "r3", "source_run": "R0"},
        instance,
        instance | {"host": "r2", "verdict": "error", "seconds": 0.0, "tries": 0},
        instance | {"host": "r3", "source_run": "R0"},
    )
    found = [(row["step"], row["total"], row["slowest_host"]) for row in by_step(run)]
    assert found == [("a", 3.0, "r1"), ("a[0]", 2.0, "r1")]
    assert [row["step"] for row in slowest(run)] == ["a[0]"]


def test_every_verdict_of_a_step_is_counted_as_in_the_whole():
    run = steps(*((f"r{number}", "a", verdict) for number, verdict in enumerate(VERDICTS)))
    (row,) = by_step(run)
    assert row["not_run"] == run_statistics.not_run(run)[0]["results"] * 2 == 2
    assert row["failed"] + row["error"] + row["unreachable"] == len(run_statistics.not_passed(run)) == 3
    assert row["passing"] + row["not_run"] + 3 == row["results"] == len(VERDICTS)


def test_a_step_that_nowhere_ran_has_no_times():
    (row,) = by_step(steps(("r1", "a", "blocked", 0.0)))
    assert not {"median", "max", "slowest_host"} & row.keys()


def test_slowest_first_and_equal_ones_in_order():
    run = steps(("r1", "a", "passed", 1.0), ("r2", "a", "passed", 5.0), ("r3", "a", "passed", 5.0))
    assert [row["host"] for row in slowest(run, 2)] == ["r2", "r3"]


def test_spread_of_measurements_by_unit():
    values = [97.5, 94.1, 98.0, 97.0]
    cells = [(f"r{number}", "rate", value, "Gb/s") for number, value in enumerate(values)]
    gigabit, megabit = measured(*cells, ("r9", "rate", 97_500, "Mb/s"))
    assert (gigabit["min"], gigabit["median"], gigabit["max"]) == (94.1, median(values), 98.0)
    assert (gigabit["min_host"], gigabit["max_host"], gigabit["hosts"], gigabit["values"]) == ("r1", "r2", 4, 4)
    assert (megabit["unit"], megabit["min"]) == ("Mb/s", 97_500)


def test_measurements_that_are_no_numbers_are_counted():
    rows = measured(("r1", "carrier", True, None), ("r2", "carrier", "up", None))
    assert told(rows, "values", "min", "min_host", "unit") == [(2, None, None, "")]


def test_matrix():
    run = steps(("r2", "a", "error"), ("r1", "b", "failed"), ("r1", "a", "passed"))
    names, rows = run_statistics.matrix(run)
    assert names == ["a", "b"]
    assert told(rows, "host", "verdicts") == [("r1", {"a": "passed", "b": "failed"}), ("r2", {"a": "error"})]


@pytest.mark.parametrize(
    "figure",
    [
        run_statistics.counts,
        run_statistics.not_passed,
        run_statistics.reasons,
        run_statistics.not_run,
        run_statistics.passed_after_retry,
        run_statistics.reused_results,
        run_statistics.failed_hooks,
        by_step,
        slowest,
    ],
)
def test_no_results(figure):
    assert figure(steps()) == []
    assert run_statistics.matrix(steps()) == ([], [])


LOOPED = [
    {"host": "r1", "step": "port", "verdict": "failed", "instances": 2, "flake": True, "source_run": "R0"},
    {"host": "r1", "step": "port[a]", "parent": "port", "verdict": "passed"},
    {"host": "r1", "step": "port[b]", "parent": "port", "verdict": "failed", "reason": "down"},
    {"host": "r2", "step": "port", "verdict": "skipped", "reason": "the loop is empty", "instances": 0},
]


def test_instances_count_for_their_step():
    run = a_run(*LOOPED)
    assert [row["step"] for row in run.results] == ["port[a]", "port[b]", "port"]
    assert told(run_statistics.counts(run), "verdict", "results") == [("failed", 1), ("skipped", 1), ("passed", 1)]
    assert run_statistics.passed_after_retry(run) == run_statistics.reused_results(run) == []


def test_a_step_with_rounds_is_not_retried_for_them():
    run = a_run(
        step(tries=3, rounds={"count": 3, "passed": 3}),
        step("r2", tries=4, rounds={"count": 3, "passed": 3}, flake=True),
        step("r3", tries=2),
        step("r4", tries=1),
    )
    assert told(by_step(run), "results", "retried") == [(4, 2)]


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
    (row,) = told(
        run_statistics.passed_after_retry(a_run(step(flake=True, attempts=attempts), step("r2", flake=False))),
        "host",
        "first",
    )
    assert row == ("r1", first)


def test_reused_results_are_gathered_by_run():
    run = a_run(
        step("r1", verdict="cached", source_run="R1"),
        step("r2", verdict="cached", source_run="R1"),
        step("r3", verdict="passed", source_run="R0"),
        step("r4"),
    )
    found = told(run_statistics.reused_results(run), "step", "verdict", "source_run", "results", "first_host")
    assert found == [("one", "cached", "R1", 2, "r1"), ("one", "passed", "R0", 1, "r3")]


def test_hooks_are_gathered_the_gravest_first():
    late = {"hook": "site.late", "when": "post_step", "verdict": "error", "reason": "no route"}
    check = {"hook": "site.check", "when": "pre_step", "verdict": "failed", "reason": ""}
    run = a_run(step("r1", hooks=[late]), step("r2", hooks=[late, check, "odd"]), step("r3", hooks=[]), step("r4"))
    found = told(run_statistics.failed_hooks(run), "hook", "when", "step", "verdict", "reason", "results", "first_host")
    assert found == [
        ("site.late", "post_step", "one", "error", "no route", 2, "r1"),
        ("site.check", "pre_step", "one", "failed", "", 1, "r2"),
    ]


def measurements_of(*cells):
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
            measurements=measurements_of(
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
    assert told(found, *names) == [
        ("r1", "failed", 100, 99, "a.b", "ms", 1.0, 2.5, 4.0, 0.5, 3.75),
        ("r1", "failed", 100, 99, "c", "ms", None, 7.0, None, None, None),
        ("r2", "passed", 2, 2, None, None, None, None, None, None, None),
    ]
    assert sorted(row["name"] for row in run_statistics.without_statistics_of_rounds(run)) == ["a.b", "d.mean"]


def test_no_rounds():
    run = arrange_run(RunData(run={}, steps=[step()], measurements=measurements_of(("r1", "one", "x.mean", 1))))
    assert run_statistics.repeated_results(run) == []
    assert run_statistics.without_statistics_of_rounds(run) == run.measurements


def test_measurements_and_numbers_in_the_context_are_numbers_of_a_metric() -> None:
    run = arrange_run(
        RunData(
            run={},
            measurements=[
                {"host": "r1", "step": "ping", "n": 1, "name": "t", "value": 2, "unit": "ms"},
                {"host": "r1", "step": "ping", "n": 2, "name": "state", "value": "up", "unit": None},
            ],
            context=[{"key": "numbers.stats_v1", "host": "r1", "step": "n", "value": {"mean": 1.5, "file": "a"}}],
        )
    )
    assert by_metric(run) == {Metric("ping", "t", "ms"): [2.0], Metric("", "numbers.stats_v1.mean", ""): [1.5]}
