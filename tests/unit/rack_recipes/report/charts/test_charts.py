# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every kind of chart, whatever the values and the texts are."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rack_recipes.report.charts.chart_elements import Chart, Limit, Quantity
from rack_recipes.report.charts.correlation import correlation
from rack_recipes.report.charts.heat_map import number_map, verdict_map
from rack_recipes.report.charts.histogram_and_box_plot import box_plot, histogram
from rack_recipes.report.charts.timeline import Lane, Span, timeline
from rack_recipes.report.charts.trend import Change, TrendPoint, trend
from rack_recipes.report.format_values import visible
from rack_recipes.report.table_model import Column, Table

from .conftest import checked_svg

NUMBERS = st.floats() | st.integers(-(10**6), 10**6).map(float)
FINITE = st.floats(-1e300, 1e300)
SECONDS = st.floats(0, 1e7)
LIMITS = st.lists(st.builds(Limit, st.text(max_size=9), FINITE), max_size=5)


def charts(values: list[float], limits: list[Limit], text: str) -> list[Chart]:
    """One chart of each kind, in which every text is the given one."""
    quantity = Quantity(text, text)
    places = [(f"{text}{n}", value) for n, value in enumerate(values)]
    points = [TrendPoint(f"{text}{n}", text, value, value, value) for n, value in enumerate(values)]
    columns = (Column("host", text), *(Column(f"{n}", f"{text}{n}") for n in range(len(values))))
    spans = tuple(Span(abs(value), abs(value) + 1, text, text) for value in values if abs(value) < 1e7)
    return [
        histogram(quantity, values, limits),
        box_plot(quantity, {text: places, f"{text}2": places[:3]}, limits),
        trend(quantity, {text: points, f"{text}2": points[1:]}, limits, [Change(f"{text}1", text)]),
        correlation([(quantity, dict(places)), (Quantity("b"), {host: -value for host, value in places})]),
        correlation([(Quantity(f"{text}{n}"), dict(places)) for n in range(3)]),
        number_map(quantity, Table("t", text, columns, ((text, *values),))),
        verdict_map(Table("t", text, columns, ((text, *[text] * len(values)),))),
        timeline([Lane(text, spans), Lane(text, (), inner=True)], text),
    ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(NUMBERS, max_size=30), LIMITS)
@example([], [])
def test_any_numbers_make_a_picture(values, limits):
    for chart in charts(values, limits, "rx"):
        checked_svg(chart.svg)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text())
def test_any_text_stays_text(text):
    for chart in charts([1.0, 2.0, 2.5, 4.0, 9.0], [Limit(text, 3.0)], text):
        checked_svg(chart.svg)


def test_hostile_text_is_shown_and_harmless(hostile):
    for chart in charts([1.0, 2.0, 2.5, 4.0, 9.0], [Limit(hostile, 3.0)], hostile):
        root = checked_svg(chart.svg)
        said = "".join(root.itertext())
        assert visible(said).replace("\r", "") == said.replace("\r", "")


def test_every_chart_has_a_table_that_explains_itself():
    for chart in charts([1.0, 2.0, 2.5, 4.0, 9.0], [], "rx"):
        assert all(len(row) == len(chart.figures.columns) for row in chart.figures.rows)
        assert chart.figures.rows
