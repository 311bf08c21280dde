# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.report.charts.timeline import (
    Lane,
    Span,
    run_timeline,
    seconds_of_time,
    step_lanes,
    timeline,
)


def test_stages_steps_and_their_times(drawn, texts):
    lanes = [
        Lane("stage 1", (Span(0, 90, "failed"),)),
        Lane("link", (Span(0, 30.5, "passed", "link on 8 hosts"), Span(40, 90, "failed")), inner=True),
    ]
    chart = timeline(lanes, "Run R1")
    root = drawn(chart.svg)
    assert root.find("title").text == "Run R1: 2 of 2 rows in 1 min 30 s"
    assert "link on 8 hosts: passed, 0 s to 30.5 s" in [title.text for title in root.iter("title")]
    assert {"stage 1", "link", "1 min", "Time since the start"} <= set(texts(chart.svg))
    assert chart.figures.rows[1] == ("link", "link on 8 hosts", "passed", 0, 30.5, 30.5)


def test_of_many_rows_the_first_are_drawn(drawn):
    chart = timeline([Lane(f"r{n}", (Span(0, n, "passed"),)) for n in range(1000)])
    assert "200 of 1,000 rows" in drawn(chart.svg).find("title").text
    assert len(chart.figures.rows) == 1000


def row(step, host, stage, start, seconds, verdict="passed", **fields):
    started = f"2026-11-25T12:00:{start:02}.000000Z"
    about = {"step": step, "host": host, "stage": stage, "idx": 1, "verdict": verdict, "parent": None}
    return {**about, "started": started, "seconds": seconds, **fields}


RESULTS = [
    row("b", "r1", 1, 30, 5.0),
    row("a", "r1", 1, 0, 10.0, "failed"),
    row("a", "r2", 1, 5, 30.0),
    row("sum", "", 2, 40, 1.0),
]


def test_stages_and_steps_in_the_order_of_their_starts_with_the_worst_verdict():
    told = [(lane.name, lane.inner, *lane.spans[0]) for lane in step_lanes(RESULTS)]
    assert told == [
        ("stage 1", False, 0.0, 35.0, "failed", "2 hosts"),
        ("a", True, 0.0, 35.0, "failed", "2 hosts"),
        ("b", True, 30.0, 35.0, "passed", "r1"),
        ("stage 2", False, 40.0, 41.0, "passed", "(run)"),
        ("sum", True, 40.0, 41.0, "passed", "(run)"),
    ]


def test_a_run_of_many_steps_has_its_stages_alone():
    assert [lane.name for lane in step_lanes(RESULTS, 2)] == ["stage 1", "stage 2"]
    assert len(step_lanes(RESULTS, 3)) == 5
    assert step_lanes([]) == []


@pytest.mark.parametrize("text", ["", None, "</svg>", "2026-99-99"])
def test_what_is_no_time_has_no_moment(text):
    assert seconds_of_time(text) is None


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
