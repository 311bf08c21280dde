# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from rack_recipes.report.charts import heat_map as module
from rack_recipes.report.charts import timeline
from rack_recipes.report.charts.chart_elements import Quantity, label
from rack_recipes.report.charts.timeline import step_time_bars
from rack_recipes.report.format_values import seconds
from rack_recipes.report.table_model import Column, Table


def matrix(*rows):
    steps = tuple(Column(f"s{number}", f"s{number}", "verdict") for number in range(len(rows[0])))
    named = tuple((f"r{number}", *row) for number, row in enumerate(rows))
    return Table("matrix", "Matrix", (Column("host", "Host"), *steps), named)


def paths(picture):
    found = ET.fromstring(picture).iter("path")
    return {path.get("class"): path.get("d") for path in found}


def test_neighbours_are_one_piece_and_passed_is_the_ground():
    _other, body = module.heat_map(
        matrix(("passed", "failed", "failed", "passed"), ("error", None, "passed", "failed"))
    )
    drawn = paths(body)
    assert drawn["v-failed"] == "M1 0h2v1h-2zM3 1h1v1h-1z"
    assert drawn["v-error"] == "M0 1h1v1h-1z"
    assert drawn["none"] == "M1 1h1v1h-1z"
    assert "v-passed" not in drawn


def test_small_maps_show_symbols_and_large_ones_do_not():
    _other, small = module.heat_map(matrix(("passed", "failed")))
    _other, large = module.heat_map(matrix(*[("passed", "failed")] * 500))
    assert small.count('class="symbol"') == 1
    assert 'class="symbol"' not in large
    assert 'class="grid"' not in large


def test_a_large_map_stays_small():
    verdicts = ["passed"] * 13 + ["failed"]
    rows = [tuple(verdicts[(host * 7 + step * 3) % 14] for step in range(100)) for host in range(1000)]
    assert sum(map(len, module.heat_map(matrix(*rows)))) < 250_000


def test_bars_show_median_and_longest(by_name):
    texts = [text.text for text in ET.fromstring(step_time_bars(by_name["steps"])).iter("text")]
    assert "5 min 10 s · 6 min 29 s" in texts


def test_of_many_steps_the_longest_are_drawn(by_name):
    steps = by_name["steps"]
    row = list(steps.rows[0])
    rows = []
    for number in range(100):
        row[0], row[steps.place("max")] = f"step{number}", float(number % 50)
        rows.append(tuple(row))
    names = ET.fromstring(step_time_bars(Table("steps", "Steps", steps.columns, tuple(rows)))).iter("text")
    drawn = [name.text for name in names if name.get("class") == "name"]
    assert len(drawn) == timeline.MOST_BARS
    assert "step0" not in drawn
    assert drawn == sorted(drawn, key=lambda name: int(name[4:]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (0, "0 s"),
        (0.0123, "12.3 ms"),
        (3.456, "3.46 s"),
        (60.0, "1 min"),
        (125.2, "2 min 5 s"),
        (3600 + 180, "1 h 3 min"),
        (7200, "2 h"),
    ],
)
def test_durations_in_words(value, expected):
    assert seconds(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("short", "short"), ("a" * 20 + "b" * 20, "a" * 14 + "…" + "b" * 14), ("a\nb", "a⏎b")]
)
def test_long_labels_keep_both_ends(text, expected):
    assert label(text) == expected


def test_one_picture_with_the_meaning_of_its_colours(drawn, texts):
    matrix_of = matrix(("passed", "failed", None), ("error", "passed", "passed"))
    chart = module.verdict_map(matrix_of)
    assert drawn(chart.svg).find("title").text == "Verdicts of 2 hosts and 3 steps"
    assert texts(chart.svg)[-5:] == ["failed", "!", "error", "passed"][-5:] or "failed" in texts(chart.svg)
    assert {"r0", "r1", "s0", "failed", "error", "passed"} <= set(texts(chart.svg))
    assert chart.figures is matrix_of


def test_hosts_are_gathered_by_rack_and_the_worst_verdict_is_shown():
    rows = (("passed", "failed"), ("error", "failed"), (None, "passed"), (None, "marginal"))
    one = module.gather_rows(matrix(*rows), lambda host: "a" if host in ("r0", "r1") else "b")
    assert one.rows == (("a", "error", "failed"), ("b", None, "marginal"))
    assert [column.name for column in one.columns] == ["group", "s0", "s1"]


def test_numbers_by_place(drawn, texts):
    table = Table(
        "t",
        "T",
        (Column("rack", "Rack"), *(Column(f"u{n}", f"u{n}") for n in range(3))),
        (("rack1", 20, 30.5, None), ("rack2", 40, float("nan"), float("inf"))),
    )
    chart = module.number_map(Quantity("inlet", "°C"), table)
    root = drawn(chart.svg)
    assert root.find("title").text == "inlet (°C): 3 values from 20 to 40"
    assert [part.get("class") for part in root.iter("rect")][:3] == ["l-0", "l-3", "l-6"]
    assert texts(chart.svg)[-2:] == ["20", "40 °C"]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-1e300, 1e300), (5e-324, 1e-323)])
def test_every_number_has_a_level(low, high):
    assert {module.level_of(value, low, high) for value in (low, high)} <= set(range(7))


def test_the_matrix_of_pairs_has_both_ways_and_the_worst_verdict():
    rows = [("b", "a", "passed"), ("a", "b", "failed"), ("a", "c", "passed")]
    found = module.pair_matrix([{"members": [one, other], "verdict": said} for one, other, said in rows], "link")
    assert found.rows == (("a", None, "failed", "passed"), ("b", "failed", None, None), ("c", "passed", None, None))
