# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math

from rack_recipes.report.charts import histogram_and_box_plot as module
from rack_recipes.report.charts.chart_elements import Limit, Quantity

SPEED = Quantity("speed", "Gb/s")
TWINS = [(f"r{n}", float(n)) for n in range(1, 10)]


def test_quartiles_whiskers_and_what_lies_outside(drawn):
    chart = module.box_plot(SPEED, {"leaf": [*TWINS, ("r99", 40.0), ("bad", math.nan)]}, [Limit("max", 30)])
    assert chart.figures.rows == (("leaf", 10, 1.0, 3.25, 5.5, 7.75, 40.0, 1),)
    titles = [title.text for title in drawn(chart.svg).iter("title")]
    assert "leaf: 10 values, median 5.5, 1 outside" in titles
    assert "r99: 40" in titles


def test_few_values_are_dots_without_a_box(drawn):
    chart = module.box_plot(SPEED, {"leaf": TWINS[:4]})
    assert chart.figures.rows == (("leaf", 4, 1.0, None, 2.5, None, 4.0, None),)
    css = [part.get("class") for part in drawn(chart.svg).iter()]
    assert css.count("dot outside") == 4
    assert "box-of" not in css


def test_a_group_without_a_finite_value_is_left_out():
    assert not module.box_plot(SPEED, {"leaf": [("r1", math.inf)]}).figures.rows


def test_many_groups_and_dots_are_cut_in_the_picture_only(drawn):
    many = {f"g{n}": [*TWINS * 100, *[(f"o{k}", 1e6 + k) for k in range(150)]] for n in range(100)}
    chart = module.box_plot(SPEED, many)
    assert len(chart.figures.rows) == 100
    root = drawn(chart.svg)
    assert "60 of 100 groups" in root.find("title").text
    assert sum(part.get("class") == "dot outside" for part in root.iter("circle")) == 150 * 60


def test_equal_whole_numbers_that_no_float_can_hold(drawn):
    large = 2**53 + 1
    chart = module.box_plot(SPEED, {"leaf": [(f"r{n}", large) for n in range(6)]})
    assert chart.figures.rows[0][1] == 6
    assert drawn(chart.svg) is not None
