# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math

import pytest

from rack_recipes.report.charts.chart_elements import LETTER, Limit, Quantity
from rack_recipes.report.charts.trend import WIDTH, Change, TrendPoint, trend

SPEED = Quantity("speed", "Gb/s")


def points(*values):
    return [TrendPoint(f"R{n}", f"2026-11-{n:02}T01:00:00Z", value) for n, value in enumerate(values, 1)]


def lines(root):
    return [part for part in root.iter("path") if part.get("class", "").startswith("line")]


def test_a_line_with_limits_and_a_change(drawn, texts):
    chart = trend(SPEED, {"leaf": points(94, 94, 90)}, [Limit("min", 89)], [Change("R3", "94 to 90")])
    root = drawn(chart.svg)
    assert root.find("title").text == "Trend of speed (Gb/s) over 3 runs, 1 of 1 lines"
    assert {"11-01", "11-03", "min 89", "speed (Gb/s)", "Runs (UTC)"} <= set(texts(chart.svg))
    assert "R3: 94 to 90" in [title.text for title in root.iter("title")]
    assert chart.figures.rows[2] == ("R3", "2026-11-03T01:00:00Z", "leaf", 90, None, None, "94 to 90")


def test_a_change_of_level_is_written_where_it_is(drawn):
    changes = [Change("R3", "97 to 95"), Change("R9", "95 to 80"), Change("R4", "95 to 94"), Change("none", "1 to 2")]
    chart = trend(SPEED, {"leaf": points(*range(1, 11))}, (), changes)
    said = [part for part in drawn(chart.svg).iter("text") if part.get("class") == "change-text"]
    assert [part.text for part in said] == [
        "97 to 95 since run R3", "95 to 94 since run R4", "95 to 80 since run R9"
    ]  # fmt: skip
    assert len({part.get("y") for part in said}) == 3, "none is written over another"
    assert all(float(part.get("x")) + LETTER * len(part.text) < WIDTH for part in said)


def test_every_value_is_told_by_pointer_and_keyboard_and_leads_to_its_run(drawn):
    shown = trend(Quantity("speed", "Gb/s"), {"leaf": points(94.5, 94, math.nan, 90)}, to=lambda run: f"/runs/{run}")
    root = drawn(shown.svg)
    assert root.get("role") == "group", "what is in a picture of role img cannot be reached"
    values = [part for part in root.iter("a") if part.get("class") == "point"]
    assert [(one.get("href"), one.get("aria-label")) for one in values] == [
        ("/runs/R1", "94.5 Gb/s in run R1"),
        ("/runs/R2", "94 Gb/s in run R2"),
        ("/runs/R4", "90 Gb/s in run R4"),
    ]
    assert [text.text for one in values for text in one.iter("text")] == [one.get("aria-label") for one in values]
    assert not [*drawn(trend(SPEED, {"leaf": points(94, 90)}).svg).iter("a")]


def test_values_of_several_lines_name_their_line(drawn):
    shown = trend(SPEED, {"a": points(1, 2), "b": [TrendPoint("R1", "", 3, 2, 4)]}, to=lambda run: f"/runs/{run}")
    said = [part.get("aria-label") for part in drawn(shown.svg).iter("a")]
    assert said[0] == "a: 1 Gb/s in run R1"
    assert said[2] == "b: 3 Gb/s (2 to 4) in run R1"


def test_a_run_without_a_value_breaks_the_line(drawn):
    series = {"a": [one for one in points(1, 2, 3, 4, 5) if one.run_id != "R3"], "b": points(1, 2, 3, 4, 5)}
    assert len(lines(drawn(trend(SPEED, series).svg))) == 2 + 1 + 2  # two parts, one line, and the key
    assert len(lines(drawn(trend(SPEED, {"a": points(1, math.nan, 3)}).svg))) == 1  # nobody else has this run


def test_runs_are_in_the_order_of_their_times():
    late, early = TrendPoint("A", "2026-11-02", 1), TrendPoint("B", "2026-11-01", 2)
    one, other = trend(SPEED, {"x": [late, early]}), trend(SPEED, {"x": [early, late]})
    assert one.svg == other.svg


def test_the_least_and_the_greatest_are_a_band(drawn):
    band = [TrendPoint(f"R{n}", f"{n}", 5.0, 4.0, 6.0) for n in range(3)]
    assert any(part.get("class") == "band f-1" for part in drawn(trend(SPEED, {"x": band}).svg).iter("path"))


def test_no_more_lines_than_can_be_told_apart(drawn):
    chart = trend(SPEED, {f"h{n}": points(n, n) for n in range(9)})
    assert "6 of 9 lines" in drawn(chart.svg).find("title").text
    assert len(chart.figures.rows) == 18


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([f"2026-11-{day:02}T01:00:00Z" for day in range(1, 4)], ["11-01", "11-02", "11-03"]),
        ([f"2026-11-30T{hour:02}:05:00Z" for hour in range(3)], ["11-30 00:05", "11-30 01:05", "11-30 02:05"]),
        ([f"2026-11-30T10:00:{second:02}Z" for second in range(3)], ["10:00:00", "10:00:01", "10:00:02"]),
        (["2026-11-30T10:00:00Z"] * 3, ["run 1", "run 2", "run 3"]),
    ],
)
def test_no_two_runs_have_the_same_label(texts, times, shown):
    series = [TrendPoint(f"R{number}", time, 1.0) for number, time in enumerate(times)]
    assert [text for text in texts(trend(SPEED, {"x": series}).svg) if text in shown] == shown
