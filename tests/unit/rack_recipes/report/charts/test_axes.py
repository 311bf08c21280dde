# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.report.charts.axes import scale_of, tick_texts, ticks
from rack_recipes.report.format_values import number

FINITE = st.floats(-1e300, 1e300)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 10], ["0", "2", "4", "6", "8", "10"]),
        ([0.1, 0.3], ["0.10", "0.15", "0.20", "0.25", "0.30"]),
        ([1e9, 1e9 + 2], [f"1,000,000,00{n / 2}" for n in range(5)]),
        ([0, 2e9], ["0", "5.0e+08", "1.0e+09", "1.5e+09", "2.0e+09"]),
        ([0, 5e-7], ["0", "1e-07", "2e-07", "3e-07", "4e-07", "5e-07"]),
        ([-3, 2], ["-3", "-2", "-1", "0", "1", "2"]),
    ],
)
def test_ticks_are_round_and_no_longer_than_needed(values, expected):
    assert tick_texts(ticks(scale_of(values, 0, 100, room=0))) == expected


@given(st.lists(FINITE, min_size=1, max_size=9))
def test_every_value_is_on_its_axis_and_ticks_differ(values):
    scale = scale_of(values, 0, 100)
    assert all(-0.01 <= scale(value) <= 100.01 for value in values)
    found = ticks(scale)
    assert len(found) <= 12
    assert len(set(tick_texts(found))) == len(found)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (9.5, "9.5"), (1234.5, "1,234"), (12500, "12,500"), (1.2e9, "1.2e+09"), (1e-7, "1e-07")],
)
def test_numbers_in_few_letters(value, text):
    assert number(value) == text
