# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM, Finding
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.values_over_runs import Series, SeriesValues
from rack_recipes.analysis.values_unlike_earlier_runs import findings

USUAL = (100.0, 101.0, 99.5, 100.5)


def nights(values: Sequence[float], steps: int = 1, **fields: Any) -> list[Night]:
    return [
        Night({(f"ping{step}", "r1"): latency(value + step, **fields) for step in range(steps)}) for value in values
    ]


def found_in(history_of: Historian, runs: Sequence[Night]) -> list[Finding]:
    history = history_of(runs)
    return [*findings(history.run, history)]


def test_a_value_that_is_not_as_usual_is_told_with_the_usual_ones(history_of: Historian) -> None:
    (found,) = found_in(history_of, nights([*USUAL, 150.0]))
    assert found.title == "latency of ping0 (r1) is 150 us; 4 earlier runs had 99.5 us to 101 us"
    assert (found.kind, found.grade) == ("regression", NOTABLE)
    low, high = found.figures["series"][0]["expected"]
    assert low < min(USUAL) < max(USUAL) < high < 150
    assert "t(n-1)" in found.method


def test_a_value_as_usual_is_no_finding(history_of: Historian) -> None:
    assert not found_in(history_of, nights([*USUAL, 102.0]))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999),
    far=st.sampled_from([0, 3, 8, 40]),
    runs=st.integers(3, 30),
    factor=st.sampled_from([-1e3, -1.8, 1e-3, 0.3048, 1e3, 1024]),
    offset=st.integers(-300_000, 300_000),
    limits=st.sampled_from([{"max": 1e9}, {"min": -1e9, "max": 1e9}]),
)
def test_neither_the_unit_nor_a_limit_hides_a_value(
    seed: int, far: float, runs: int, factor: float, offset: int, limits: dict[str, float]
) -> None:
    values = np.random.default_rng(seed).normal(100, 1, (1, runs + 1))
    values[0, -1] += far
    told = []
    for numbers, own in ((values, None), (values * factor + offset, None), (values, limits)):
        series = SeriesValues(Series("psu", "power", "W"), ["r1"], numbers)
        rows = [{"step": "psu", "name": "power", "unit": "W", "limits": own}]
        history = History(None, RunData({"run_id": "R"}, measurements=rows))  # type: ignore[arg-type]
        vars(history).update(runs=[{"run_id": str(one)} for one in range(runs)], series=[series])
        told.append([one.about for one in findings(history.run, history)])
    assert told[0] == told[1] == told[2]


def test_two_earlier_runs_are_too_few(history_of: Historian) -> None:
    assert not found_in(history_of, nights([100.0, 101.0, 900.0]))


@pytest.mark.parametrize(
    ("limits", "grade"), [({"max": 200}, PROBLEM), ({"min": 50}, NOTE), ({"eq": 100}, PROBLEM), ({"ne": 0}, NOTABLE)]
)
def test_limits_tell_what_is_worse(history_of: Historian, limits: dict[str, Any], grade: str) -> None:
    runs = nights([*USUAL * 3, 150.0], limits=limits, verdict="passed", name="power", unit="W")
    assert [one.grade for one in found_in(history_of, runs)] == [grade]


@pytest.mark.parametrize(
    ("values", "limits", "name", "grade"),
    [
        ((*USUAL, 150.0), {"max": 200}, "power", NOTABLE),  # four runs
        ((*USUAL * 3, 150.0), {"max": 200}, "busiest_process", NOTABLE),  # noise by nature
        ((*USUAL * 3, 250.0), {"max": 200}, "busiest_process", PROBLEM),
    ],
)
def test_what_noise_may_do_is_no_problem(
    history_of: Historian, values: Sequence[float], limits: dict[str, Any], name: str, grade: str
) -> None:
    runs = nights(values, limits=limits, verdict="passed", name=name, unit="W")
    assert [one.grade for one in found_in(history_of, runs)] == [grade]


@pytest.mark.parametrize(
    ("runs", "name", "usual", "value", "grades"),
    [
        (19, "zorks", 42, 43, [PROBLEM]),
        (9, "zorks", 42, 43, [NOTABLE]),
        (5, "power_supplies", 2, 1, [PROBLEM]),
        (19, "errors", 3, 4, []),
        (19, "uptime", 3, 4, []),
        (19, "temperature", 25, 26, []),
        (19, "zorks", 0, 1, []),
        (19, "zorks", 42.5, 42.6, []),
    ],
)
def test_a_setting_is_the_same_in_all_runs(
    history_of: Historian, runs: int, name: str, usual: float, value: float, grades: list[str]
) -> None:
    found = found_in(history_of, nights([*[usual] * runs, value], name=name, unit=""))
    assert [one.grade for one in found] == grades


@pytest.mark.parametrize(("after", "grades"), [([], [PROBLEM]), ([7], [PROBLEM]), ([7, 8, 8], [PROBLEM])])
def test_a_setting_that_was_wrong_before_is_told_again(
    history_of: Historian, after: list[int], grades: list[str]
) -> None:
    found = found_in(history_of, nights([*[8] * 18, *after, 7], name="gpus", unit=""))
    assert [one.grade for one in found] == grades


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (100_000.0, ": 1,000 times as much, as after a change of the unit"),
        (102_400.0, ": 1,024 times as much, as after a change of the unit"),
        (0.1, ": 1/1,000 as much, as after a change of the unit"),
        (5_000.0, ""),
    ],
)
def test_a_thousand_times_as_much_may_be_another_unit(history_of: Historian, value: float, words: str) -> None:
    runs = [Night(context={("r1", "disk.speed_v1"): one}) for one in (*USUAL, value)]
    (found,) = found_in(history_of, runs)
    assert found.title.endswith(f"4 earlier runs had 99.5 to 101{words}")


def test_a_value_that_was_always_the_same_and_is_another_is_told(history_of: Historian) -> None:
    (found,) = found_in(history_of, nights([48, 48, 48, 40]))
    assert found.title == "latency of ping0 (r1) is 40 us; 3 earlier runs had 48 us"
    assert found.method == "all earlier runs had one value, and this one has another; no rate of false alarms is known"
    assert "p" not in found.figures["series"][0]


def test_a_difference_below_the_floor_is_none(history_of: Historian) -> None:
    assert not found_in(history_of, nights([1000.0, 1000.0, 1000.0, 1001.0]))


def test_many_are_one_finding(history_of: Historian) -> None:
    (found,) = found_in(history_of, nights([*USUAL, 150.0], steps=5))
    assert found.title == (
        "5 series of values are not as usual: latency of ping0; latency of ping1; latency of ping2; latency of ping3 "
        "and 1 more"
    )
    assert len(found.results) == 5


def test_only_runs_at_the_present_level_are_compared(history_of: Historian) -> None:
    runs = nights([100.0, 101.0, 99.5, 100.5, 100.2, 99.9, 100.1, 200.0, 201.0, 199.5, 200.5, 150.0])
    (found,) = found_in(history_of, runs)
    assert found.title == "latency of ping0 (r1) is 150 us; 4 earlier runs had 199.5 us to 201 us"


def test_numbers_of_the_context_are_notes(history_of: Historian) -> None:
    runs = [Night(context={("r1", "disk.speed_v1"): value}) for value in (*USUAL, 150.0)]
    assert [one.grade for one in found_in(history_of, runs)] == [NOTE]


def test_a_unit_that_changes_is_told_and_not_compared(history_of: Historian) -> None:
    watts, milliwatts = ({"name": "power", "unit": unit} for unit in ("W", "mW"))
    runs = [*nights(USUAL * 2, **watts), *nights([one * 1000 for one in USUAL], **milliwatts)]
    (found,) = found_in(history_of, runs)
    assert found.title == (
        "power of ping0 is in mW since run 20261109-220000-000009, and was in W in 8 earlier runs: values before and "
        "after are not compared"
    )
    assert found.grade == NOTE


def test_a_step_that_is_new_and_two_units_at_once_are_no_change(history_of: Historian) -> None:
    both = [{"name": "power", "unit": "W", "value": 100.0}, {"name": "power", "unit": "%", "value": 50.0}]
    runs = [*nights(USUAL), *[Night({("psu", "r1"): both, ("ping0", "r1"): latency(one)}) for one in USUAL]]
    assert not found_in(history_of, runs)
