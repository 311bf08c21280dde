# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest
import ruptures
from hypothesis import given, settings
from hypothesis import strategies as st

from rack_recipes.analysis.methods.change_points_and_trends import (
    best_split,
    find_change_points,
    find_in_many,
    is_more_than_a_spike,
    without_spikes,
)


def noise(n: int, seed: int = 1, level: float = 100.0, spread: float = 1.0) -> np.ndarray:
    return level + spread * np.random.default_rng(seed).normal(size=n)


def shifted(n: int, place: int, shift: float, seed: int = 1) -> np.ndarray:
    values = noise(n, seed)
    values[place:] += shift
    return values


def remembering(n: int, seed: int, phi: float = 0.6) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=n + 50)
    for place in range(1, len(values)):
        values[place] += phi * values[place - 1]
    return values[50:]


def places(values: np.ndarray, **options) -> list[int]:
    return [change.place for change in find_change_points(values, "key", **options)]


@pytest.mark.parametrize(("n", "place"), [(20, 10), (20, 15), (20, 17), (20, 3), (50, 31), (10, 5)])
@pytest.mark.parametrize("shift", [8, -8])
def test_a_change_of_level_is_found_where_it_is(n: int, place: int, shift: float):
    (change,) = find_change_points(shifted(n, place, shift), "key")
    assert change.place == place
    assert change.shift == pytest.approx(shift, abs=1.3)
    assert change.before == pytest.approx(100, abs=1)
    assert change.after == pytest.approx(100 + shift, abs=1)
    assert (change.start, change.end) == (0, n)
    assert change.p <= 0.01


def test_levels_are_means_of_both_sides():
    values = shifted(20, 12, 9)
    (change,) = find_change_points(values, "key")
    cut = without_spikes(values)
    assert change.before == pytest.approx(cut[:12].mean(), rel=1e-12)
    assert change.after == pytest.approx(cut[12:].mean(), rel=1e-12)


@pytest.mark.parametrize("shift", [8, 800])
def test_two_runs_at_the_end_are_no_level_yet(shift: float):
    assert places(shifted(20, 18, shift)) != [18]
    assert places(shifted(20, 17, shift)) == [17]


@pytest.mark.parametrize("place", [0, 1, 7, 12, 18, 19])
@pytest.mark.parametrize("size", [20, -1000])
def test_one_spike_is_no_change_of_level(place: int, size: float):
    values = noise(20)
    values[place] += size
    assert places(values) == []


def test_spikes_are_cut_and_levels_stay():
    values = np.array([1.0, 2, 1, 2, 50, 1, 2, 1, 11, 12, 11, 12, -40, 11, 12])
    cut = without_spikes(values)
    others = np.delete(np.arange(15), [4, 12])
    np.testing.assert_array_equal(cut[others], values[others])
    assert cut[4] == pytest.approx(2 + 4 * 1.4826)
    assert cut[12] == pytest.approx(11 - 4 * 1.4826)


@pytest.mark.parametrize("level", [[1.0, 2, 1, 2, 1, 2, 1, 11, 12, 11], [11.0, 12, 11, 1, 2, 1, 2, 1, 2, 1]])
def test_three_runs_at_an_end_are_a_level_and_no_spikes(level: list[float]):
    np.testing.assert_array_equal(without_spikes(np.array(level)), level)


def test_among_values_that_are_alike_nothing_is_cut():
    values = np.array([5.0] * 12 + [6.0] * 12 + [9.0])
    np.testing.assert_array_equal(without_spikes(values), values)


def test_spikes_hide_no_change_of_level():
    found = []
    for seed in range(60):
        values = shifted(50, 25, 4, seed)
        values[np.random.default_rng(seed).integers(50, size=3)] += 10
        found.append(any(abs(place - 25) <= 2 for place in places(values)))
    assert np.mean(found) >= 0.85


@pytest.mark.parametrize(("extreme", "holds"), [(7.9, True), (8.1, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_half_of_the_shift_must_be_left_without_the_most_extreme_value(extreme: float, holds: bool, sign: int):
    """The mean of 2, 2 and 8 is 4, and without the 8 it is 2."""
    short, long = sign * np.array([2, 2, extreme]), np.array([0.1, -0.1] * 5)
    assert is_more_than_a_spike(long, short) is holds
    assert is_more_than_a_spike(short, long) is holds


def test_no_answer_below_ten_runs():
    assert places(shifted(9, 5, 1000), alpha=0.3) == []
    assert places(shifted(10, 5, 1000)) == [5]


def test_several_changes_are_found_one_inside_the_other():
    values = noise(60, 5)
    values[20:] += 10
    values[40:] += 10
    changes = find_change_points(values, "key")
    assert [change.place for change in changes] == [20, 40]
    assert [(change.start, change.end) for change in changes] == [(0, 40), (20, 60)]
    assert [change.shift for change in changes] == pytest.approx([10, 10], abs=1.5)


def test_a_change_below_the_floor_is_not_said():
    values = shifted(20, 10, 8)
    assert places(values, floor=5) == [10]
    assert places(values, floor=9.5) == []


@pytest.mark.parametrize("values", [[5.0] * 30, [], [1.0]])
def test_what_never_changes_has_no_change(values: list[float]):
    assert places(np.array(values)) == []


def test_two_levels_without_any_noise():
    (change,) = find_change_points([5.0] * 10 + [6.0] * 10, "key")
    assert (change.place, change.before, change.after) == (10, 5.0, 6.0)


def test_the_same_series_has_the_same_answer():
    values = shifted(20, 10, 1.2)
    (one,), (again,) = (find_change_points(values, "a", alpha=1)[:1] for _turn in range(2))
    (other,) = find_change_points(values, "b", alpha=1)[:1]
    assert one == again
    assert one.p != other.p


def test_a_great_level_hides_nothing():
    values = shifted(20, 10, 8) - 100
    (near,), (far,) = find_change_points(values, "key"), find_change_points(values + 1e9, "key")
    assert far.place == near.place
    assert far.p == near.p
    assert far.shift == pytest.approx(near.shift, abs=1e-6)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([-1.0, 0.001, 60.0]), st.sampled_from([0.0, -40.0, 1e6]))
def test_units_do_not_matter(seed, factor, offset):
    values = shifted(20, 10, 3, seed)
    assert places(values * factor + offset) == places(values)


@pytest.mark.parametrize("seed", range(40))
def test_the_place_is_ruptures_place(seed: int):
    values = shifted(24, 4 + seed % 17, 3, seed)
    expected = ruptures.Dynp("l2", min_size=3, jump=1).fit(values.reshape(-1, 1)).predict(1)[0]
    assert best_split(values)[1] == expected


def alarms(series: list[np.ndarray]) -> float:
    return float(np.mean([bool(find_change_points(values, str(n))) for n, values in enumerate(series)]))


def test_false_alarms_among_noise_are_as_rare_as_is_said():
    assert alarms([noise(20, seed) for seed in range(400)]) <= 0.015
    random = np.random.default_rng(2)
    assert alarms([random.standard_t(3, size=20) for _turn in range(400)]) <= 0.015


def test_false_alarms_among_series_that_remember():
    """Without the sieve they are 21 %, with it 9 %."""
    assert alarms([remembering(20, seed) for seed in range(200)]) <= 0.15


def test_changes_are_found_as_often_as_is_said():
    found = [any(abs(place - 15) <= 2 for place in places(shifted(20, 15, 4, seed))) for seed in range(200)]
    assert np.mean(found) >= 0.93
    found = [any(abs(place - 10) <= 2 for place in places(shifted(20, 10, 2, seed))) for seed in range(200)]
    assert 0.45 <= np.mean(found) <= 0.65


def test_the_least_p_is_that_of_one_order_among_all():
    (change,) = find_change_points(shifted(30, 15, 50), "key", permutations=199)
    assert change.p == 1 / 200


def test_among_many_series_only_changes_hold_that_are_rare_among_so_many():
    series = {f"s{n}": noise(20, n) for n in range(300)}
    changed = {f"s{n}" for n in range(10)}
    for name in changed:
        series[name][12:] += 6
    found = find_in_many(series)
    assert changed <= found.keys()
    assert len(found.keys() - changed) <= 1
    assert all(change.p < 0.002 for changes in found.values() for change in changes)


def test_each_of_many_series_has_its_floor():
    series = {"a": shifted(20, 10, 8), "b": shifted(20, 10, 8)}
    assert find_in_many(series, floors={"b": 9.5}).keys() == {"a"}
    assert find_in_many({}) == {}
