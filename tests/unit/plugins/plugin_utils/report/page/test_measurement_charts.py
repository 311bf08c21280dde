# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.report.page import measurement_charts
from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Table
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.columns import VALUES


def values(*rows):
    cells = [
        (host, step, name, value, "MB/s", verdict, "min 9, warn min 9.5", 0.5, None)
        for host, step, name, value, verdict in rows
    ]
    return Table("values", "Values", VALUES, tuple(cells))


def test_a_measurement_has_a_histogram_and_a_box_for_each_rack():
    rows = [(f"r{n}", "copy", "rate", 9.0 + n / 10, "passed") for n in range(12)]
    [one] = measurement_charts.measured(values(*rows), {f"r{n}": f"rack{n % 2}" for n in range(12)})
    assert (one.step, one.name, one.unit, one.verdict, one.values) == ("copy", "rate", "MB/s", "passed", 12)
    histogram, boxes = one.charts
    assert "min 9" in histogram.svg
    assert boxes.figures.values("group") == ["rack0", "rack1"]


def test_the_measurement_with_the_worst_value_comes_first_and_few_values_have_no_picture():
    rows = [("r1", "b", "x", 1, "failed"), *((f"r{n}", "a", "y", n, "passed") for n in range(5)),
            *((f"r{n}", "b", "x", n, "passed") for n in range(5)), ("r1", "c", "z", 1, "passed")]  # fmt: skip
    found = measurement_charts.measured(values(*rows), {})
    assert [(one.step, one.verdict, one.values) for one in found] == [("b", "failed", 6), ("a", "passed", 5)]


def test_values_that_are_no_numbers_and_too_many_measurements_are_left_out():
    rows = [(f"r{n}", f"s{step}", "x", n, "passed") for step in range(30) for n in range(3)]
    texts = [(f"r{n}", "text", "x", "up", "passed") for n in range(9)]
    found = measurement_charts.measured(values(*texts, *rows), {})
    assert [one.step for one in found] == [f"s{step}" for step in range(measurement_charts.MOST)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("min 3, max 9.5, warn max 8", [("min", 3.0), ("max", 9.5), ("warn max", 8.0)]),
        ("max -1e-3", [("max", -0.001)]),
        ("eq true", []),
        ("one of [1, 2]", []),
        ("differ", []),
        ("", []),
    ],
)
def test_limits_in_words(words, expected):
    assert [*measurement_charts.limits_in(words)] == expected
