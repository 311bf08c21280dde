# SPDX-License-Identifier: GPL-3.0-or-later

"""Time and memory: of compiling, storing, the context, reports, analysis and delegates.

Only whole sweeps are held to the goals in seconds: they have the machine for themselves.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import (
    compile_speed,
    context_memory,
    delegates,
    journal_import_speed,
    long_history,
    many_results,
    report_formats,
    report_page,
)
from rack_recipes.report.report_formats_and_status import WRITERS


def test_flush() -> None:
    with closing(
        journal_import_speed.compared(reliability_sweeps.count(500, 100_000), reliability_sweeps.count(1, 7))
    ) as found:
        for store, goal in journal_import_speed.GOALS.items():
            holds = f"at least {goal:g} of the bare driver's rate, with the same rows and tables"
            with reliability_sweeps.sweep(f"flush, {store}", holds) as made:
                _flush(made, *next(found))
                assert not reliability_sweeps.is_whole() or made.found["of the bare driver's rate"] >= goal


def _flush(made: reliability_sweeps.Sweep, store: str, figures: journal_import_speed.Figures) -> None:
    assert made.name == f"flush, {store}"
    made.done = reliability_sweeps.count(500, 100_000)
    made.found = {
        "of the bare driver's rate": round(journal_import_speed.rate(figures, "write"), 2),
        "rows a second": round(made.done / journal_import_speed.median(figures, "write", journal_import_speed.WALL)),
        "the driver's": round(made.done / journal_import_speed.median(figures, "bare", journal_import_speed.WALL)),
        "with the journal read and checked": round(
            made.done / journal_import_speed.median(figures, "follow", journal_import_speed.WALL)
        ),
    }


def test_compile() -> None:
    steps = reliability_sweeps.count(50, 1000)
    holds = (
        f"at most {compile_speed.MOST:g} times PyYAML's C loader with jsonschema, "
        f"time grows at most {compile_speed.LINEAR:g} times as much as the file, "
        f"`--help` in at most {compile_speed.MOST_HELP:g} times that of `ansible-playbook`"
    )
    with reliability_sweeps.sweep("compile", holds) as made:
        few, many, helped = (found for _what, found in compile_speed.compared(steps, reliability_sweeps.count(1, 11)))
        times = compile_speed.median(many, "ours") / compile_speed.median(few, "ours")
        made.done = 10 * steps
        made.found = {
            f"seconds for {steps} steps": round(compile_speed.median(few, "ours"), 3),
            "of the rival's": round(compile_speed.ratio(few), 2),
            f"seconds for {10 * steps}": round(compile_speed.median(many, "ours"), 2),
            "times": round(times, 1),
            "times the bytes": round(compile_speed.growth(steps), 1),
            "help, of the rival's": round(compile_speed.ratio(helped), 2),
        }
        if reliability_sweeps.is_whole():
            assert compile_speed.ratio(few) <= compile_speed.MOST
            assert times <= compile_speed.LINEAR * compile_speed.growth(steps)
            assert compile_speed.ratio(helped) <= compile_speed.MOST_HELP


HOLDS = (
    f"a live key of the context takes at most {context_memory.MOST} bytes beside its value's text, "
    "and further versions of it take none"
)


def test_a_million_deltas() -> None:
    with reliability_sweeps.sweep("context memory", HOLDS) as made:
        found = context_memory.measure(reliability_sweeps.count(20_000, 1_000_000), 1_000)
        made.done = found.deltas
        made.found = {
            "live keys": found.keys,
            "bytes a live key": found.a_key,
            "bytes for all further versions": found.growth,
        }
        assert found.a_key <= context_memory.MOST
        assert found.growth < context_memory.ALLOWANCE


def test_a_run_with_a_long_history() -> None:
    hosts, runs = reliability_sweeps.count(10, long_history.HOSTS), reliability_sweeps.count(12, long_history.RUNS)
    goals = f"{long_history.SECONDS:g} s of CPU time and {long_history.MEBIBYTES:g} MiB"
    holds = f"100,000 results with {long_history.RUNS} earlier runs are analysed within {goals}"
    with reliability_sweeps.sweep("the analysis of a long history", holds) as made:
        spent = long_history.measured(hosts, runs, reliability_sweeps.count(1, long_history.ROUNDS))
        made.done = hosts * long_history.STEPS * (runs + 1)
        made.found = {"seconds": round(spent.wall, 2), "of CPU": round(spent.cpu, 2), "MiB": round(spent.memory)}
        if reliability_sweeps.is_whole():
            assert spent.cpu <= long_history.SECONDS
            assert spent.memory <= long_history.MEBIBYTES


def test_a_run_with_many_results() -> None:
    hosts = reliability_sweeps.count(10, 1000)
    goals = " and ".join(f"`{command}` within {goal:g} s of CPU time" for command, goal in many_results.GOALS.items())
    with reliability_sweeps.sweep("a run with many results", f"for 100,000 results {goals}") as made:
        found = many_results.compared(hosts, reliability_sweeps.count(1, 3))
        made.done = hosts * many_results.STEPS
        made.found = {f"seconds of {command}": round(seconds, 2) for command, seconds in found.items()}
        if reliability_sweeps.is_whole():
            for command, goal in many_results.GOALS.items():
                assert found[command] <= goal


@pytest.mark.repeats  # the same reports of a run with many results
def test_reports_of_a_small_and_a_large_run() -> None:
    hosts, rounds = reliability_sweeps.count(10, 1000), reliability_sweeps.count(1, 3)
    goal = f"for 14 results within {many_results.REPORT_GOAL:g} s of CPU time"
    with reliability_sweeps.sweep("a whole report, with Python's start", goal) as made:
        found = many_results.reports(hosts, rounds)
        made.done = rounds
        made.found = {f"seconds of the {name}": round(seconds, 2) for name, seconds in found.items()}
        if reliability_sweeps.is_whole():
            assert found["report of 14 results"] <= many_results.REPORT_GOAL


def test_the_page_of_a_run_with_many_results() -> None:
    hosts = reliability_sweeps.count(20, 1000)
    goals = " and ".join(f"`{name}` within {goal:g} s" for name, goal in report_page.GOALS.items())
    with reliability_sweeps.sweep("the page of a run with many results", f"for 100,000 results {goals}") as made:
        found = report_page.measured(hosts, reliability_sweeps.count(1, 5))
        made.done = hosts * report_page.STEPS
        seconds = {f"seconds to {name}": round(found[name], 3) for name in ("open", "search", "sort")}
        made.found = {"MB": round(found["MB"], 2), **seconds}
        assert found["rows"] <= 60
        assert found["MB"] < 3
        if reliability_sweeps.is_whole():
            for name, goal in report_page.GOALS.items():
                assert found[name] <= goal


def test_the_page_on_reports_has_the_figures_that_were_measured_last(golden: Callable[[Path, str], None]) -> None:
    """`tests/bench/report_formats.py --write` measures them, when somebody asks for it."""
    figures = json.loads(report_formats.FIGURES.read_text())
    golden(report_formats.PAGE, report_formats.page(report_formats.PAGE.read_text(), figures))


def test_each_format_of_a_small_run_is_measured() -> None:
    found = report_formats.measured(4, 1)
    assert {*found["parts"]} == {"tables", *WRITERS} - {*report_formats.LEFT_OUT}
    assert all(part["seconds"] >= 0 for part in found["parts"].values())
    assert "| html |" in report_formats.section(found)


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"report-speed\.md needs the lines"):
        report_formats.page("# Reports\n", {})


def test_devices_behind_a_delegate() -> None:
    """A process for each step of each device costs more than a thread. It can be ended, limited, put into a sandbox."""
    devices = reliability_sweeps.count(10, 1000)
    holds = (
        f"goals: `ansible.builtin.uri` takes {delegates.LEAST_OF_URI:g} times the CPU time of a delegated step, which "
        f"takes {delegates.MOST_OF_BARE:g} times that of threads in one process; it fails at half of the first"
    )
    with reliability_sweeps.sweep("devices behind a delegate", holds) as made:
        found = delegates.compared(devices, reliability_sweeps.count(1, 3))
        ours, uri, bare = (delegates.cpu(found, way) for way in delegates.WAYS)
        made.done = devices
        made.found = {
            "ms of CPU a device": round(ours, 1),
            "uri's": round(uri, 1),
            "of threads in one process": round(bare, 1),
            "uri's, times": round(uri / ours, 1),
            "of threads, times": round(ours / bare, 2),
            "seconds for all": round(statistics.median(spent.wall for spent in found["ours"]), 1),
        }
        if reliability_sweeps.is_whole():
            assert uri / ours >= delegates.LEAST_OF_URI / 2
