# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest

from rack_recipes.analysis.methods import twins_over_runs as method


def noise(hosts: int = 40, runs: int = 20, memory: float = 0.0, seed: int = 1) -> np.ndarray:
    """Noise of twins, of which each run remembers the last."""
    found = np.random.default_rng(seed).normal(size=(hosts, runs))
    for run in range(1, runs):
        found[:, run] = memory * found[:, run - 1] + (1 - memory**2) ** 0.5 * found[:, run]
    return found


def test_what_moves_all_twins_is_no_difference():
    values = noise() + 100 * np.arange(20)
    assert np.abs(method.subtract_twins(values)).max() < 5
    assert np.median(method.subtract_twins(values), axis=0) == pytest.approx(0)


def test_a_gap_is_the_host_s_own_median():
    values = noise()
    values[3, 4] = np.nan
    apart = method.subtract_twins(values)
    assert apart[3, 4] == pytest.approx(np.median(np.delete(apart[3], 4)))
    assert np.isfinite(apart).all()


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.6, 0.8])
@pytest.mark.parametrize("runs", [20, 50])
def test_the_memory_is_that_of_most_twins(memory: float, runs: int):
    values = noise(200, runs, memory)
    assert method.typical_memory(values) == pytest.approx(memory, abs=0.12)
    drifting = values + np.outer(np.arange(200) < 60, np.arange(runs))
    assert method.typical_memory(drifting) == pytest.approx(method.typical_memory(values), abs=1e-9)


def test_twins_without_noise_have_no_memory():
    assert method.typical_memory(np.zeros((4, 12))) == 0


@pytest.mark.parametrize(("memory", "most"), [(0.0, 0.015), (0.6, 0.04)])
def test_the_chance_of_a_drift_holds(memory: float, most: float):
    moves = method.measure_moves(noise(4000, 20, memory))
    assert 0.002 <= moves.drifts_at(0.01).mean() <= most


@pytest.mark.parametrize(("memory", "most"), [(0.0, 0.01), (0.6, 0.01)])
def test_the_chance_of_another_level_holds(memory: float, most: float):
    moves = method.measure_moves(noise(4000, 20, memory))
    assert 0.0005 <= moves.levels_at(0.01).mean() <= most


def test_a_rise_has_a_z_by_kendall():
    values = noise()
    values[3] = np.arange(20.0)
    moves = method.measure_moves(values)
    memory = method.typical_memory(values)
    assert memory == pytest.approx(0.024, abs=0.03)
    assert moves.drift[3] == pytest.approx(189 / (950 * method._inflation(20, memory)) ** 0.5)
    assert moves.drift_p(3) < 1e-8
    assert method.measure_moves(-values).drift[3] == moves.drift[3]


def test_the_variance_of_kendall_s_statistic_with_memory():
    """Hamed and Rao's factor for AR(1): nothing without memory, nearly (1 + phi) / (1 - phi) for long series."""
    assert method._inflation(20, 0.0) == 1
    assert method._inflation(1000, 0.5) == pytest.approx(3, rel=0.06)
    statistics = [
        float(np.sign(np.subtract.outer(one, one))[np.triu_indices(20, 1)].sum()) for one in noise(3000, 20, 0.6)
    ]
    assert np.var(statistics) == pytest.approx(950 * method._inflation(20, 0.6), rel=0.08)


def test_the_place_and_the_chance_of_another_level():
    values = noise()
    values[3, 12:] += 6
    moves = method.measure_moves(values)
    assert moves.places[3] == 12
    assert moves.level_p(3) < 1e-6
    assert moves.splits == 15
    assert method.measure_levels(values, 1, 0.0).splits == 17
    assert method.measure_levels(values, 1, 0.6).level[3] == pytest.approx(
        method.measure_levels(values, 1, 0).level[3] / 2
    )


@pytest.mark.parametrize("p", [0.01, 1e-4, 1e-7])
def test_a_mark_is_where_the_chance_is(p: float):
    moves = method.measure_moves(noise() * np.linspace(0.5, 3, 20) + np.outer(np.linspace(0, 0.5, 40), np.arange(20)))
    assert moves.drifts_at(p).tolist() == [moves.drift_p(row) <= p for row in range(40)]
    assert moves.levels_at(p).tolist() == [moves.level_p(row) <= p for row in range(40)]


@pytest.mark.parametrize(
    ("chances", "tests", "greatest"),
    [
        ([], 10, 0.0),
        ([0.02], 1, 0.0),
        ([0.004], 10, 0.005),
        ([0.006], 10, 0.0),
        ([0.001, 0.006, 0.009], 15, 0.01),
        ([0.001, 0.006, 0.0099], 16, 0.05 * 2 / 16),
        ([0.001, 0.002, 0.5], 1000, 0.0),
    ],
)
def test_the_greatest_chance_that_is_kept_is_benjamini_s_and_hochberg_s(
    chances: list[float], tests: int, greatest: float
):
    found = method.greatest_p(lambda p: sum(one <= p for one in chances), tests, 0.05)
    assert found == pytest.approx(greatest)


def test_a_group_is_its_mean_less_that_of_the_others():
    values = np.zeros((6, 10))
    values[:3, 5:] = 2
    inside = method.mark_groups([[0, 1, 2], [3, 4, 5]], 6)
    assert inside.tolist() == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    assert method.group_series(values, inside)[:, -1] - method.group_series(values, inside)[:, 0] == pytest.approx(
        [2, -2]
    )


def test_one_host_does_not_move_its_group():
    values = noise(40)
    before = method.group_series(values, method.mark_groups([range(8)], 40))[0]
    values[2, 12] += 1000
    after = method.group_series(values, method.mark_groups([range(8)], 40))[0]
    assert abs(after[12] - before[12]) < 1


def test_what_is_unusual_among_twins():
    moves = np.array([0.0, 1, -1, 2, -2, 0.5, -0.5, 9, 5])
    assert [method.is_unusual(moves, row) for row in (3, 7, 8)] == [False, True, False]


def test_the_chance_of_a_group_by_ranks():
    """Mann and Whitney's z with its correction: U = 12, mean 6, variance 8 for 3 hosts of 7."""
    moves = np.array([5.0, 6, 7, 0, 1, 2, 3])
    assert method.group_chance(moves, [0, 1, 2]) == pytest.approx(0.0518, abs=5e-4)
    assert method.group_chance(-moves, [0, 1, 2]) == method.group_chance(moves, [0, 1, 2])
    assert method.furthest_of(moves, [0, 1, 2]) == 2
    assert method.furthest_of(-moves, [0, 1, 2]) == 2
    assert method.shifts_at(np.array([[1.0, 2, 5, 6]]), 2).tolist() == [4]
    assert method.slopes_of(np.array([[1.0, 3, 5, 7]])).tolist() == [2]
