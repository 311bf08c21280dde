# SPDX-License-Identifier: GPL-3.0-or-later

"""Which shifts between two runs a gate tells, with the runs around the first one as a history."""

from __future__ import annotations

import numpy as np
import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from rack_recipes.analysis.regression_gate import Levels, compare_levels, judge_levels
from rack_recipes.analysis.values_over_runs import KnownLimits, Series, SeriesValues

LIMITS = {"step": "ping", "name": "m0", "unit": "us"}


def runs(number: int) -> list[dict[str, str]]:
    return [{"run_id": f"R{one}", "started": f"2026-11-{1 + one % 28:02}T22:00:00Z"} for one in range(number)]


def values(seed: int, hosts: int = 12, number: int = 21, series: int = 10, noise: float = 0.02) -> list[np.ndarray]:
    """Measurements around 100 with a noise in shares of it, 2 %; each host and each run has a level of its own."""
    chance = np.random.default_rng(seed)
    return [100 * (1 + chance.normal(0, noise, (hosts, number)) + chance.normal(0, 0.03, (hosts, 1)))
            for _one in range(series)]  # fmt: skip


def compared(made: list[np.ndarray], place: int = -1, limits: dict | None = None) -> Levels:
    number = made[0].shape[1]
    series = [
        SeriesValues(Series("ping", f"m{one}", "us"), [f"h{host}" for host in range(len(found))], found)
        for one, found in enumerate(made)
    ]
    at = place if place >= 0 else number - 2
    return judge_levels(series, runs(number), at, {}, KnownLimits([{**LIMITS, "limits": limits}]))


def shifted(made: list[np.ndarray], share: float, run: int = -1) -> list[np.ndarray]:
    made[0][:, run:] *= 1 + share
    return made


@pytest.mark.parametrize("seed", range(8))
def test_a_shift_of_5_percent_under_2_percent_of_noise_is_told(seed: int):
    found = compared(shifted(values(seed), 0.05))
    assert [one.series.name for one in found.worse] == ["m0"]
    assert found.worse[0].in_words.startswith("m0 of ping (median of 12 hosts): ")
    assert found.worse[0].in_words.endswith(" %); no limit tells which direction is good")


@pytest.mark.parametrize("hosts", [1, 3, 12, 40])
def test_nothing_is_told_where_nothing_changed(hosts: int):
    told = [seed for seed in range(10) if compared(values(seed, hosts)).shifts]
    assert len(told) <= 1


def test_how_small_a_shift_would_be_seen_is_said():
    found = compared(values(1))
    assert found.power.startswith(
        "10 series compared with 20 runs; smallest shift that would be seen in 9 of 10 cases: "
    )
    assert 0.02 < np.median(found.smallest) < 0.05
    assert 0.05 < np.median(compared(values(1, hosts=1, series=1)).smallest) < 0.12


def test_a_shift_that_large_is_seen_in_9_of_10_cases():
    seen = [bool(compared(shifted(values(seed, series=1), compared(values(seed, series=1)).smallest[0])).shifts)
            for seed in range(40)]  # fmt: skip
    assert sum(seen) >= 32


@pytest.mark.parametrize(
    ("limits", "share", "worse", "told"),
    [({"max": 200}, 0.1, True, 1), ({"max": 200}, -0.1, False, 0), ({"min": 1}, -0.1, True, 1), (None, -0.1, None, 1)],
)
def test_what_limits_tell_to_be_better_is_not_worse(limits: dict | None, share: float, worse: bool | None, told: int):
    found = compared(shifted(values(3), share), limits=limits)
    assert [one.worse for one in found.shifts] == [worse]
    assert len(found.worse) == told


def test_a_host_that_moves_alone_is_told():
    made = values(4)
    made[0][5, -1] *= 1.6
    assert [one.whose for one in compared(made).shifts] == ["h5"]


def test_a_baseline_is_compared_with_the_runs_of_its_level():
    """It was accepted as the 11th run; the level changed with the 15th, and the last run is the 21st."""
    assert [one.series.name for one in compared(shifted(values(5), 0.05, 14), 10).worse] == ["m0"]
    assert not compared(shifted(values(5), 0.05, 14), 18).worse


@pytest.mark.parametrize(("number", "series"), [(3, 0), (4, 10)])
def test_without_a_history_only_verdicts_are_compared(number: int, series: int):
    found = compared(shifted(values(6, number=number), 1.0))
    assert found.series == series
    assert ("only verdicts and criteria were compared: 2 earlier runs" in found.power) == (not series)


@pytest.mark.parametrize(("number", "last", "told"), [(21, 43.0, 1), (6, 43.0, 0), (21, 42.0, 0)])
def test_a_value_that_never_varied_is_sure_after_ten_runs(number: int, last: float, told: int):
    made = np.full((12, number), 42.0)
    made[:, -1] = last
    assert len(compared([made]).shifts) == told


def test_a_step_of_the_resolution_is_no_shift():
    made = np.round(np.random.default_rng(1).normal(12.0, 0.001, (12, 21)), 1)
    made[:, -1] += 0.1
    assert not compared([made]).shifts
    made[:, -1] += 0.3
    assert len(compared([made]).shifts) == 1


def test_runs_that_used_results_again_are_no_history(history_of: Historian):
    def night(value: float, **more: dict) -> Night:
        return Night({("ping", "r1"): latency(value)}, **more)

    again = {"fields": {("ping", "r1"): {"from": run_id(5)}}, "end": {"counts": {"cached": 1}}}
    history = history_of([*map(night, [1.0, 1.1, 1.2, 1.1, 1.0]), *[night(1.0, **again)] * 9, night(1.1)])
    assert compare_levels(history.engine, run_id(14), run_id(15)).runs == 5
