# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import statistics

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.step.retries_and_hooks import (
    RoundFigures,
    retry_delay,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


@table("retry", "pauses")
def test_pauses(retry, pauses):
    assert [retry_delay(retry, tries) for tries in (1, 2, 3)] == pauses


@pytest.mark.parametrize(
    ("retry", "pause"),
    [
        ({"delay_sec": 1, "backoff": 2}, 7 * 24 * 3600.0),
        ({"delay_sec": 1, "backoff": 2, "max_delay_sec": 60}, 60.0),
        ({"delay_sec": 0, "backoff": 2}, 0.0),
        ({"delay_sec": 1, "backoff": 1}, 1.0),
    ],
)
def test_the_pause_after_very_many_tries(retry, pause):
    assert retry_delay(retry, 100_000) == pause


def figures(rounds, name="x"):
    found = [item for item in rounds.measurements() if item["name"].startswith(f"{name}.")]
    return {item["name"].rpartition(".")[2]: item["value"] for item in found}


def of(values):
    rounds = RoundFigures()
    for value in values:
        rounds.add([{"name": "x", "value": value, "unit": "ms"}])
    return figures(rounds)


def test_figures_are_measurements():
    rounds = RoundFigures()
    for value in (4, 2, 6):
        rounds.add(
            [
                {"name": "rx", "value": value, "unit": "frames", "limits": {"max": 9}, "verdict": "passed"},
                {"name": "state", "value": "up", "unit": ""},
                {"name": "ok", "value": True, "unit": ""},
                {"name": "rx", "value": 1.5, "unit": "s"},
                {"name": "bare", "value": 0},
            ]
        )
    assert rounds.measurements()[:6] == [
        {"name": "rx.count", "value": 3, "unit": ""},
        {"name": "rx.min", "value": 2, "unit": "frames"},
        {"name": "rx.mean", "value": 4.0, "unit": "frames"},
        {"name": "rx.max", "value": 6, "unit": "frames"},
        {"name": "rx.stdev", "value": (8 / 3) ** 0.5, "unit": "frames"},
        {"name": "rx.p95", "value": 5.8, "unit": "frames"},
    ]
    assert [item["unit"] for item in rounds.measurements()[7:12]] == ["s"] * 5
    assert [item["name"] for item in rounds.measurements()[12:]] == [
        f"bare.{figure}" for figure in ("count", "min", "mean", "max", "stdev", "p95")
    ]


def test_nothing_measured_has_no_figures():
    rounds = RoundFigures()
    rounds.add([])
    assert rounds.measurements() == []


def test_one_round():
    assert of([5]) == {"count": 1, "min": 5, "mean": 5.0, "max": 5, "stdev": 0.0, "p95": 5}


@pytest.mark.parametrize("offset", [0, 10**9, 10**15, 2**62, 1e15, -1e12])
def test_figures_keep_their_digits_far_from_zero(offset):
    values = [offset + step % 7 for step in range(1000)]
    near = [value - offset for value in values]
    found = of(values)
    assert found["stdev"] == pytest.approx(statistics.pstdev(near), rel=1e-12)
    assert found["mean"] == pytest.approx(offset + statistics.fmean(near), rel=1e-15)
    assert (found["count"], found["min"], found["max"]) == (1000, min(values), max(values))


def test_small_noise_on_a_large_offset():
    values = [1e8 + step % 11 / 1024 for step in range(5000)]
    assert of(values)["stdev"] == pytest.approx(statistics.pstdev(step % 11 / 1024 for step in range(5000)), rel=1e-9)


def test_the_exact_quantile_of_ten_thousand_rounds_and_none_of_more():
    values = [(step * 7919) % 10_000 for step in range(10_000)]
    assert of(values)["p95"] == 9499.05
    beyond = of([*values, 5])
    assert "p95" not in beyond
    assert (beyond["count"], beyond["min"], beyond["max"]) == (10_001, 0, 9999)


def test_memory_is_bounded():
    rounds = RoundFigures()
    for value in range(30_000):
        rounds.add([{"name": "x", "value": value}])
    assert len(rounds._series["x", ""]._kept) <= 10_000


def test_figures_too_large_for_a_number_are_left_out():
    assert of([1.7e308, -1.7e308, 1.7e308]) == {"count": 3, "min": -1.7e308, "max": 1.7e308, "p95": 1.7e308}
