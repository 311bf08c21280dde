# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.analysis.run_statistics import Metric, Value, values


def test_measurements_and_numbers_in_the_context_are_values() -> None:
    run = arrange_run(
        RunData(
            run={},
            measurements=[
                {"host": "r1", "step": "ping", "n": 1, "name": "t", "value": 2, "unit": "ms"},
                {"host": "r1", "step": "ping", "n": 2, "name": "state", "value": "up", "unit": None},
            ],
            context=[{"key": "numbers.stats_v1", "host": "r1", "step": "n", "value": {"mean": 1.5, "file": "a"}}],
        )
    )
    assert [*values(run)] == [
        Value(Metric("ping", "t", "ms"), "r1", 2.0), Value(Metric("", "numbers.stats_v1.mean", ""), "r1", 1.5),
    ]  # fmt: skip
