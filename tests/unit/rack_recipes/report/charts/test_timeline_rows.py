# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.report.charts.timeline import TimedResult, moment, step_lanes

RESULTS = [
    TimedResult("b", "r1", 1, 130.0, 5.0, "passed"),
    TimedResult("a", "r1", 1, 100.0, 10.0, "failed"),
    TimedResult("a", "r2", 1, 105.0, 30.0, "passed"),
    TimedResult("sum", "", 2, 140.0, 1.0, "passed"),
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
    assert moment(text) is None
