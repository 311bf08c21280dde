# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from rack_recipes.report.charts.timeline import Lane, Span, timeline


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
