# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math

import pytest

from rack_recipes.report.charts import histogram_and_box_plot as module
from rack_recipes.report.charts.chart_elements import Limit, Quantity, limits_of
from rack_recipes.report.charts.histogram_and_box_plot import bins_of, histogram

ERRORS = Quantity("rx_errors", "frames")


@pytest.mark.parametrize(
    ("values", "first", "width", "counts"),
    [
        ([], 0.0, 1.0, ()),
        ([3, 3, 3], 3, 0.0, (3,)),
        ([0, 0, 1, 12], -0.5, 1.0, (2, 1, *[0] * 10, 1)),
        ([0.5] * 3, 0.5, 0.0, (3,)),
        ([0, 100, 200, 300, 1000], 0.0, 200.0, (2, 2, 0, 0, 0, 1)),
        ([1.0, 1.25, 1.5, 2.0], 1.0, 0.2, (1, 1, 1, 0, 0, 1)),
    ],
)
def test_ranges_are_round_and_count_every_value(values, first, width, counts):
    bins = bins_of(values)
    assert (bins.edges[:2], bins.counts) == (pytest.approx((first, first + width)), counts)
    assert len(bins.edges) == max(len(counts), 1) + 1


def test_every_value_is_in_its_range():
    values = sorted(math.sin(n) * 7 for n in range(500))
    bins = bins_of(values)
    for place, count in enumerate(bins.counts):
        low, high = bins.ends(place)
        assert count == sum(low <= value < high for value in values)


def test_one_value_is_drawn_as_one_value(drawn):
    chart = histogram(Quantity("speed", "Gbit/s"), [25.0] * 8)
    assert drawn(chart.svg).find("title").text == "Histogram of speed (Gbit/s): 8 values, all 25"
    [bar] = [one for one in drawn(chart.svg).iter("rect") if one.get("class") == "bar"]
    assert (bar.find("title").text, bar.get("width")) == ("25: 8", "11.0")
    assert chart.figures.rows == ((25, 25, 8),)


def test_title_axes_and_limits(drawn, texts):
    chart = histogram(ERRORS, [0, 1, 2, 2, 9, math.nan, math.inf], limits_of({"max": 5, "warn": {"max": 3}}))
    title = "Histogram of rx_errors (frames): 5 values from 0 to 9, median 2; 2 more are no finite numbers"
    assert drawn(chart.svg).find("title").text == title
    assert {"rx_errors (frames)", "Values", "max 5", "warn max 3"} <= set(texts(chart.svg))
    assert chart.figures.rows == ((-0.5, 0.5, 1), (0.5, 1.5, 1), (1.5, 2.5, 2), (8.5, 9.5, 1))
    assert chart.figures.columns[0].label == "From (frames)"


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ({"min": 3, "max": 9}, [("min", 3), ("max", 9)]),
        ({"within": {"of": 10, "by": 2}}, [("within", 8), ("within", 12)]),
        ({"within": {"of": 200, "percent": 5}}, [("within", 190), ("within", 210)]),
        ({"warn": {"max": 8}, "max": 9}, [("warn max", 8), ("max", 9)]),
        ({"one_of": ["a"], "eq": True, "max": 10**400, "min": "x", "within": {"of": "x", "by": 1}}, []),
    ],
)
def test_limits_of_a_criterion_that_can_be_drawn(criterion, expected):
    assert limits_of(criterion) == [Limit(*limit) for limit in expected]


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
