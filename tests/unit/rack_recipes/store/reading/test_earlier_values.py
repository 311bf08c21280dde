# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, end, run, step
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.earlier_runs import earlier_values
from rack_recipes.store.writing.import_journal import import_journal

Written = Callable[..., Path]


def measured(value: Any, name: str = "rate", **fields: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "MB/s", **fields}


@pytest.fixture
def runs(store: Engine, journal: Written) -> list[dict[str, Any]]:
    """Two runs, the older one first."""
    for number in (1, 2):
        begun = run(f"R{number}", time=f"2026-11-{number:02}T00:00:00.000000Z")
        records = [
            step(2, "r2", measurements=[measured(10**20 * number), measured(1, "other")]),
            step(2, "r1", measurements=[measured(number, verdict="passed")]),
            delta(1, after={"mean": 0.5}),
            delta(3, after={"mean": number, "of": [7, {"x": None}]}, based_on=1),
            delta(1, "", scope="run", key="total_v1", after=number),
        ]
        import_journal(store, journal([begun, *records, end()], f"R{number}"))
    return sorted(recorded_runs.runs(store), key=lambda row: str(row["started"]))


def test_a_measurement_by_run_step_and_host_the_oldest_first(store: Engine, runs: list[dict[str, Any]]) -> None:
    found = earlier_values(store, runs, "rate")
    assert [(row["run"], row["host"], row["value"], row["verdict"]) for row in found] == [
        ("R1", "r1", 1, "passed"),
        ("R1", "r2", 10**20, None),
        ("R2", "r1", 2, "passed"),
        ("R2", "r2", 2 * 10**20, None),
    ]
    assert {(row["step"], row["unit"]) for row in found} == {("compute", "MB/s")}
    assert found[0]["started"] == "2026-11-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("numbers.stats_v1.mean", [1, 2]),
        ("numbers.stats_v1.of.0", [7, 7]),
        ("numbers.stats_v1.of.1.x", [None, None]),
        ("numbers.stats_v1", [{"mean": 1, "of": [7, {"x": None}]}, {"mean": 2, "of": [7, {"x": None}]}]),
        ("total_v1", [1, 2]),
        ("numbers.stats_v1.of.9", []),
        ("numbers.stats_v1.mean.x", []),
        ("numbers.stats_v2", []),
        ("nothing", []),
    ],
)
def test_a_key_and_a_part_of_its_last_value(
    store: Engine, runs: list[dict[str, Any]], name: str, expected: list[Any]
) -> None:
    assert [row["value"] for row in earlier_values(store, runs, name)] == expected


def test_no_runs_have_no_values(store: Engine) -> None:
    assert earlier_values(store, [], "rate") == []
