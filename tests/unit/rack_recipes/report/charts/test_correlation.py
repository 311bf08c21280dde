# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.report.charts.chart_elements import Quantity
from rack_recipes.report.charts.correlation import correlation, level_of, spearman


@pytest.mark.parametrize(
    ("both", "expected"),
    [
        ([(1, 2), (2, 4), (3, 8)], None),
        ([(1, 2), (2, 4), (3, 8), (4, 9)], 1.0),
        ([(1, 9), (2, 8), (3, 4), (4, 2)], -1.0),
        ([(1, 5), (2, 5), (3, 5), (4, 5)], None),
        ([(1, 1), (1, 2), (2, 3), (2, 3)], 0.9428),
        (
            # hours of television a week by IQ: the example of a textbook
            [(106, 7), (100, 27), (86, 2), (101, 50), (99, 28), (103, 29), (97, 20), (113, 12), (112, 6), (110, 17)],
            -0.1758,
        ),
    ],
)
def test_the_coefficient_of_ranks(both, expected):
    assert spearman(both) == (None if expected is None else pytest.approx(expected, abs=1e-4))


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=4))
def test_the_coefficient_is_that_of_pandas(both):
    import pandas as pd

    ranks = pd.DataFrame(both).rank()
    varies = ranks.nunique().min() > 1
    expected = ranks[0].corr(ranks[1]) if varies else None
    assert spearman(both) == (pytest.approx(expected, abs=1e-9) if varies else None)


def test_two_measurements_are_dots_and_more_are_a_map(drawn, texts):
    rise = {f"h{n}": float(n) for n in range(6)}
    fall = {f"h{n}": -float(n) for n in range(1, 7)}
    two = correlation([(Quantity("power", "W"), rise), (Quantity("fan", "rpm"), fall)])
    assert drawn(two.svg).find("title").text == "Correlation of fan (rpm) and power (W): -1.000, 5 hosts"
    assert len(list(drawn(two.svg).iter("circle"))) == 5
    three = correlation(
        [(Quantity("power", "W"), rise), (Quantity("fan", "rpm"), fall), (Quantity("x"), {"h1": math.nan})]
    )
    assert texts(three.svg).count("-1.00") == 2
    assert texts(three.svg).count("–") == 4
    assert three.figures.rows[0] == ("fan (rpm)", "power (W)", pytest.approx(-1.0), 5)


@pytest.mark.parametrize(("value", "css"), [(-1, "o-0"), (0, "o-3"), (1, "o-6"), (None, "o-3"), (0.5, "o-5")])
def test_colours_of_coefficients(value, css):
    assert level_of(value) == css
