# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median, variance
from typing import Any

import pytest

from rack_recipes.analysis import measured_and_derived_values
from rack_recipes.analysis.measured_and_derived_values import statistics
from rack_recipes.analysis.run_data import RunData, arrange_run


def run_of(values: dict[str, Any], context: dict[str, Any] | None = None) -> RunData:
    rows = [
        {"host": host, "step": "ping", "n": 1, "name": "t", "value": value, "unit": "ms"}
        for host, value in values.items()
    ]
    keys = [
        {"key": "numbers.stats_v1", "host": host, "step": "n", "value": value}
        for host, value in (context or {}).items()
    ]
    return arrange_run(RunData(run={}, measurements=rows, context=keys))


def test_the_statistics_of_a_measurement_are_exact() -> None:
    numbers = {f"r{n}": 1e12 + n * n for n in range(25)}
    (row,) = statistics(run_of(numbers))
    whole = [int(number) for number in numbers.values()]
    assert (row["step"], row["name"], row["unit"], row["count"]) == ("ping", "t", "ms", 25)
    assert row["mean"] == sum(whole) / 25
    assert row["variance"] == pytest.approx(float(variance(whole)), rel=1e-14)
    assert row["median"] == median(whole)
    assert (row["least"], row["greatest"]) == (1e12, 1e12 + 576)
    assert row["p95"] == pytest.approx(1e12 + 520, abs=10)


def test_many_numbers_have_the_same_statistics_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of({f"r{n}": n * n for n in range(25)}, {"r1": {"mean": 1.5, "bad": 1e200}, "r2": {"mean": 2.5}})
    few = statistics(run)
    monkeypatch.setattr(measured_and_derived_values, "FEW", 0)
    assert [*map(approx, map(numbers_of, few))] == [*map(numbers_of, statistics(run))]


def numbers_of(row: Mapping[str, Any]) -> list[float]:
    return [math.nan if row[name] is None else row[name] for name in row if name not in ("step", "name", "unit")]


def approx(numbers: list[float]) -> Any:
    return pytest.approx(numbers, rel=1e-12, nan_ok=True)


def test_too_few_values_have_no_percentiles_and_no_variance() -> None:
    (row,) = statistics(run_of({"r1": 5}))
    assert (row["count"], row["mean"], row["median"], row["p95"]) == (1, 5.0, 5.0, None)
    assert math.isnan(row["variance"])


def test_the_example_of_the_proposal_has_its_mean_variance_and_median() -> None:
    context = {"r1": {"count": 3, "mean": 2.0, "variance": 0.5}, "r2": {"count": 3, "mean": 4.0, "variance": 1.5}}
    found = {row["name"]: row for row in statistics(run_of({}, context))}
    assert list(found) == ["numbers.stats_v1.count", "numbers.stats_v1.mean", "numbers.stats_v1.variance"]
    assert found["numbers.stats_v1.mean"]["mean"] == 3.0
    assert found["numbers.stats_v1.variance"]["median"] == 1.0


def test_what_is_no_number_does_not_count() -> None:
    (row,) = statistics(run_of({"r1": 1, "r2": "x", "r3": float("nan"), "r4": 10**400, "r5": True, "r6": 3}))
    assert (row["count"], row["mean"]) == (2, 2.0)


def test_a_run_without_numbers_has_no_statistics() -> None:
    assert statistics(run_of({"r1": "up"})) == []
