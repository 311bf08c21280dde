# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from rack_recipes.report.charts.timeline import run_timeline


def row(step, host, stage, start, seconds, verdict="passed", **fields):
    started = f"2026-11-25T12:00:{start:02}.000000Z"
    about = {"step": step, "host": host, "stage": stage, "idx": 1, "verdict": verdict, "parent": None}
    return {**about, "started": started, "seconds": seconds, **fields}


STEPS = [
    row("link", "r1", 1, 5, 10.0),
    row("link", "r2", 1, 7, 20.5, "failed"),
    row("sum", "", 2, 30, 1.0),
    row("ports[1]", "r1", 1, 40, 1.0, parent="ports"),
    row("never", "r1", 2, 0, None, "blocked"),
]


def test_a_row_for_each_stage_and_step_with_the_worst_verdict(drawn):
    chart = run_timeline(STEPS, {"run_id": "R1"})
    assert [row[:5] for row in chart.figures.rows] == [
        ("stage 1", "2 hosts", "failed", 0.0, 22.5),
        ("link", "2 hosts", "failed", 0.0, 22.5),
        ("stage 2", "(run)", "passed", 25.0, 26.0),
        ("sum", "(run)", "passed", 25.0, 26.0),
    ]
    assert drawn(chart.svg).find("title").text.startswith("Timeline of run R1")


def test_results_of_an_earlier_run_are_left_out():
    earlier = row("link", "r3", 1, 0, 1.0) | {"started": "2026-11-01T12:00:00Z", "source_run": "R0"}
    assert run_timeline([*STEPS, earlier], {"run_id": "R1"}).figures == run_timeline(STEPS, {"run_id": "R1"}).figures


def test_times_that_are_none_do_no_harm(drawn):
    drawn(run_timeline([row("a", "r1", 1, 0, 1.0) | {"started": "</svg>"}], {"run_id": "R1"}).svg)
    drawn(run_timeline([], {"run_id": "R1"}).svg)
