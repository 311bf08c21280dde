# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from statistics import median

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis import run_statistics
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.dataframes import frames
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData
from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.verdicts import SEVERITY, rank


def steps(*cells):
    """A frame of (host, step, verdict, seconds, reason), each tried once."""
    names = ("host", "step", "verdict", "seconds", "reason")
    return framed(*(dict(zip(names, cell, strict=False)) for cell in cells))


def framed(*rows):
    """A frame of rows that were tried once and passed, where they do not say anything else."""
    passed = {"host": "r1", "step": "a", "verdict": "passed", "tries": 1}
    return frames(RunData(run={}, steps=[{**passed, **row} for row in rows])).steps


def measured(*cells):
    """A frame of (host, name, value, unit), all of one step."""
    rows = [
        {"host": host, "step": "one", "n": n, "name": name, "value": value, "unit": unit}
        for n, (host, name, value, unit) in enumerate(cells)
    ]
    return frames(RunData(run={}, measurements=rows)).measurements


def records(frame):
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def test_an_unknown_verdict_comes_first():
    assert sorted([*SEVERITY, "odd"], key=rank) == ["odd", *SEVERITY]


def test_counts():
    frame = steps(("r1", "a", "passed"), ("r2", "a", "failed"), ("r3", "a", "passed"), ("r4", "a", "odd"))
    found = [(row["verdict"], row["results"], row["share"]) for row in records(run_statistics.counts(frame))]
    assert found == [("odd", 1, 25.0), ("failed", 1, 25.0), ("passed", 2, 50.0)]


def test_what_passes_is_not_among_what_did_not_pass():
    frame = steps(*((f"r{number}", "a", verdict) for number, verdict in enumerate([*SEVERITY, "odd"])))
    assert run_statistics.not_passed(frame)["verdict"].tolist() == ["odd", "failed", "error", "unreachable"]
    assert run_statistics.not_run(frame)["verdict"].tolist() == ["blocked", "skipped"]


def test_reasons_gather_hosts_the_most_first():
    frame = steps(
        ("r1", "a", "failed", 1.0, "low"),
        ("r2", "a", "failed", 1.0, "high"),
        ("r3", "a", "failed", 1.0, "high"),
        ("r4", "a", "error", 1.0, None),
        ("r5", "a", "passed", 1.0, "high"),
    )
    found = run_statistics.reasons(frame)[["verdict", "reason", "hosts", "first_host"]]
    assert list(found.itertuples(index=False, name=None)) == [
        ("failed", "high", 2, "r2"),
        ("failed", "low", 1, "r1"),
        ("error", "", 1, "r4"),
    ]


def test_times_are_of_results_that_ran():
    frame = steps(
        ("r1", "a", "passed", 1.0),
        ("r2", "a", "failed", 3.0),
        ("r3", "a", "marginal", 2.5),
        ("r4", "a", "skipped", 0.0),
        ("r5", "a", "cached", 0.0),
        ("r6", "a", "unreachable", None),
    )
    (row,) = records(run_statistics.by_step(frame))
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
    frame = framed({"seconds": 2.0}, {"host": "r2", **other})
    (row,) = records(run_statistics.by_step(frame))
    assert (row["median"], row["max"], row["total"], row["slowest_host"]) == (2.0, 2.0, 2.0, "r1")
    assert run_statistics.slowest(frame)["host"].tolist() == ["r1"]


def test_a_looped_step_has_times_where_an_instance_ran():
    looped = {"instances": 1, "tries": 0, "seconds": 3.0, "verdict": "error"}
    instance = {"step": "a[0]", "parent": "a", "seconds": 2.0}
    frame = framed(
        *(looped | {"host": host} for host in ("r1", "r2")),
        looped | {"host": "r3", "source_run": "R0"},
        instance,
        instance | {"host": "r2", "verdict": "error", "seconds": 0.0, "tries": 0},
        instance | {"host": "r3", "source_run": "R0"},
    )
    found = [(row["step"], row["total"], row["slowest_host"]) for row in records(run_statistics.by_step(frame))]
    assert found == [("a", 3.0, "r1"), ("a[0]", 2.0, "r1")]
    assert run_statistics.slowest(frame)["step"].tolist() == ["a[0]"]


def test_every_verdict_of_a_step_is_counted_as_in_the_whole():
    frame = steps(*((f"r{number}", "a", verdict) for number, verdict in enumerate(SEVERITY)))
    (row,) = records(run_statistics.by_step(frame))
    assert row["not_run"] == run_statistics.not_run(frame)["results"].sum() == 2
    assert row["failed"] + row["error"] + row["unreachable"] == len(run_statistics.not_passed(frame)) == 3
    assert row["passing"] + row["not_run"] + 3 == row["results"] == len(SEVERITY)


def test_a_step_that_nowhere_ran_has_no_times():
    (row,) = records(run_statistics.by_step(steps(("r1", "a", "blocked", 0.0))))
    assert (row["median"], row["max"], row["slowest_host"]) == (None, None, None)


def test_slowest_first_and_equal_ones_in_order():
    frame = steps(("r1", "a", "passed", 1.0), ("r2", "a", "passed", 5.0), ("r3", "a", "passed", 5.0))
    assert run_statistics.slowest(frame, 2)["host"].tolist() == ["r2", "r3"]


def test_spread_of_measurements_by_unit():
    values = [97.5, 94.1, 98.0, 97.0]
    cells = [(f"r{number}", "rate", value, "Gb/s") for number, value in enumerate(values)]
    gigabit, megabit = records(run_statistics.by_measurement(measured(*cells, ("r9", "rate", 97_500, "Mb/s"))))
    assert (gigabit["min"], gigabit["median"], gigabit["max"]) == (94.1, median(values), 98.0)
    assert (gigabit["min_host"], gigabit["max_host"], gigabit["hosts"], gigabit["values"]) == ("r1", "r2", 4, 4)
    assert (megabit["unit"], megabit["min"]) == ("Mb/s", 97_500)


def test_measurements_that_are_no_numbers_are_counted():
    (row,) = records(
        run_statistics.by_measurement(measured(("r1", "carrier", True, None), ("r2", "carrier", "up", None)))
    )
    assert (row["values"], row["min"], row["min_host"], row["unit"]) == (2, None, None, "")


def test_matrix():
    frame = run_statistics.matrix(steps(("r1", "a", "passed"), ("r1", "b", "failed"), ("r2", "a", "error")))
    assert records(frame) == [{"a": "passed", "b": "failed"}, {"a": "error", "b": None}]


@pytest.mark.parametrize(
    "figure",
    [
        run_statistics.counts,
        run_statistics.not_passed,
        run_statistics.reasons,
        run_statistics.matrix,
        run_statistics.by_step,
        run_statistics.slowest,
    ],
)
def test_no_results(figure):
    assert len(figure(steps())) == 0
