# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.analysis.findings import format_age, format_amount, format_count, series_name, the_last
from rack_recipes.analysis.values_over_runs import Series


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1 / 3, "us", "0.3333 us"), (100000000.0, "", "100000000"), (1e300, "", "1e+300"), (-2.5, "C", "-2.5 C")],
)
def test_amounts(value: float, unit: str, text: str) -> None:
    assert format_amount(value, unit) == text


def test_numbers_of_things() -> None:
    assert [format_count(1, "host"), format_count(2000, "host"), format_count(2, "match", "matches")] == [
        "1 host",
        "2,000 hosts",
        "2 matches",
    ]


def test_the_newest_of_many() -> None:
    assert [the_last(1, "run"), the_last(2, "run")] == ["the last run", "the last 2 runs"]


@pytest.mark.parametrize(
    ("series", "name"),
    [
        (Series("ping", "loss", "%"), "loss of ping"),
        (Series("ping", "loss", "%", 2), "loss (number 2) of ping"),
        (Series("", "numbers.stats_v1.mean", key="numbers.stats_v1"), "numbers.stats_v1.mean"),
    ],
)
def test_names_of_series(series: Series, name: str) -> None:
    assert series_name(series) == name


@pytest.mark.parametrize(
    ("earlier", "later", "text"),
    [
        ("2026-11-01T00:00:00Z", "2026-11-03T12:00:00Z", "2 days"),
        ("2026-11-01T00:00:00Z", "2026-11-02T23:00:00Z", "47 hours"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:01:30Z", "1 minute"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:59Z", "less than a minute"),
        ("2026-11-01T00:00:01Z", "2026-11-01T00:00:00Z", ""),
        (None, "2026-11-01T00:01:30Z", ""),
        ("yesterday", "2026-11-01T00:01:30Z", ""),
    ],
)
def test_ages(earlier: str | None, later: str, text: str) -> None:
    assert format_age(earlier, later) == text
