# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from rack_recipes.analysis.change_points_and_drift import findings
from rack_recipes.analysis.findings import NOTABLE, NOTE, PROBLEM

Level = Callable[[int], float]


def nights(number: int, level: Level, hosts: int = 6, steps: int = 1, **fields: Any) -> list[Night]:
    """Nights in which the hosts have values around the level of the night, counted from 0."""
    noise = random.Random(7)
    return [
        Night({
            (f"ping{step}", f"r{host}"): latency(level(one) + noise.gauss(0, 1.0), **fields)
            for step in range(steps) for host in range(hosts)
        })
        for one in range(number)
    ]  # fmt: skip


def step_at(place: int, before: float, after: float) -> Level:
    return lambda one: after if one >= place else before


def test_a_change_of_level_is_told_with_its_run(history_of: Historian) -> None:
    history = history_of(nights(20, step_at(16, 100.0, 130.0)))
    (found,) = findings(history.run, history)
    assert (found.kind, found.grade) == ("change_point", NOTABLE)
    assert found.title.startswith("latency of ping0 (median of 6 hosts) went from 99.")
    assert found.title.endswith(f"since run {run_id(17)} (4 runs)")
    assert found.figures["before"] == run_id(16)
    assert len(found.results) == 6
    assert "5 % of the series named are false" in found.method


@pytest.mark.parametrize(
    ("limits", "place", "grade"),
    [
        ({"max": 200}, 16, PROBLEM),
        ({"max": 200}, 10, NOTABLE),
        ({"min": 50}, 16, NOTE),
        ({"min": 50, "max": 200}, 16, NOTE),
        ({"min": 50, "max": 150}, 16, PROBLEM),
    ],
)
def test_the_grade_follows_the_direction_that_limits_tell(
    history_of: Historian, limits: dict[str, float], place: int, grade: str
) -> None:
    history = history_of(nights(20, step_at(place, 100.0, 130.0), limits=limits, verdict="passed"))
    assert [one.grade for one in findings(history.run, history)] == [grade]


def test_what_was_changed_then_is_named(history_of: Historian) -> None:
    before = nights(20, step_at(16, 100.0, 130.0))
    runs = [*before[:16], *(Night(night.measured, about={"versions": {"python": "3.14"}}) for night in before[16:])]
    history = history_of(runs)
    (found,) = findings(history.run, history)
    assert found.title.endswith("(versions changed then)")
    assert found.advice == f"Look at what was changed between the runs {run_id(16)} and {run_id(17)}: versions."


def test_measurements_that_change_in_the_same_run_are_one_finding(history_of: Historian) -> None:
    history = history_of(nights(20, step_at(16, 100.0, 130.0), steps=6))
    (found,) = findings(history.run, history)
    assert found.title.startswith("6 measurements changed: latency of ping")
    assert found.figures["number"] == 6


def test_few_hosts_are_looked_at_one_by_one(history_of: Historian) -> None:
    history = history_of(nights(20, step_at(16, 100.0, 130.0), hosts=2))
    assert [one.title.split(")")[0] for one in findings(history.run, history)] == [
        "latency of ping0 (r0",
        "latency of ping0 (r1",
    ]


def test_nothing_is_said_of_fewer_than_ten_runs(history_of: Historian) -> None:
    history = history_of(nights(9, step_at(5, 100.0, 200.0)))
    assert not [*findings(history.run, history)]


def test_noise_and_one_spike_are_no_change(history_of: Historian) -> None:
    history = history_of(nights(20, lambda one: 150.0 if one == 10 else 100.0))
    assert not [*findings(history.run, history)]


def test_a_drift_tells_when_it_reaches_its_limit(history_of: Historian) -> None:
    history = history_of(nights(20, lambda one: 100.0 + one, limits={"max": 125}, verdict="passed"))
    (found,) = findings(history.run, history)
    assert (found.kind, found.grade) == ("drift", PROBLEM)
    assert found.title.startswith("latency of ping0 (median of 6 hosts) rises by ")
    assert re.search(r": in [56]\.\d days \(5\.\d to 6\.\d, 90 %\) it reaches", found.title)
    assert found.title.endswith(" it reaches its limit of 125 us")
    assert found.figures["reached"] in ("2026-11-25", "2026-11-26")
    assert found.advice.startswith("Plan to look at latency of ping0 before 2026-11-2")


def test_runs_within_an_hour_tell_no_day_on_which_a_limit_is_reached(history_of: Historian) -> None:
    made = nights(20, lambda one: 100.0 + one, limits={"max": 125}, verdict="passed")
    minutes = [replace(night, about={"time": f"2026-11-01T22:{n:02}:00.000000Z"}) for n, night in enumerate(made)]
    history = history_of(minutes)
    (found,) = findings(history.run, history)
    assert (found.kind, found.grade) == ("drift", NOTABLE)
    assert found.title.endswith(" a run over 20 runs")


def test_a_drift_without_a_limit_is_a_note(history_of: Historian) -> None:
    history = history_of(nights(20, lambda one: 100.0 + one))
    assert [(one.kind, one.grade) for one in findings(history.run, history)] == [("drift", NOTE)]


def test_a_counter_of_the_context_is_no_drift(history_of: Historian) -> None:
    history = history_of([Night(context={("r1", "host.uptime_v1"): {"seconds": 1000 * one}}) for one in range(12)])
    assert not [*findings(history.run, history)]


def test_a_number_of_the_context_may_change_its_level(history_of: Historian) -> None:
    noise = random.Random(3)
    levels = [(100 if one < 14 else 150) + noise.gauss(0, 1) for one in range(20)]
    history = history_of([Night(context={("r1", "disk.speed_v1"): {"read": level}}) for level in levels])
    (found,) = findings(history.run, history)
    assert found.title.startswith("disk.speed_v1.read (r1) went from ")
    assert found.grade == NOTE
