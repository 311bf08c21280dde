# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rack_recipes.analysis.methods.change_points_and_trends import (
    NOT_ENOUGH,
    REMEMBERS,
    TOO_SMALL,
    ZERO_INSIDE,
    crossing,
    find_trend,
)


def line(n: int, slope: float, seed: int = 1, spread: float = 1.0) -> np.ndarray:
    return slope * np.arange(n) + spread * np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize(("n", "slope"), [(10, 1.5), (20, 0.4), (50, -0.2)])
def test_a_trend_is_found(n: int, slope: float):
    trend = find_trend(line(n, slope), "key")
    assert trend.why_not == ""
    assert trend.low <= slope <= trend.high
    assert trend.low <= trend.slow <= trend.slope <= trend.fast <= trend.high
    assert trend.shift == pytest.approx(trend.slope * (n - 1))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("confidence", ["95", "90"])
def test_slope_and_bounds_are_scipy_s(seed: int, confidence: str):
    values = np.round(line(17, 0.1, seed), 1)
    theirs = stats.theilslopes(values, np.arange(17), float(confidence) / 100, method="joint")
    trend = find_trend(values, "key")
    ours = (trend.low, trend.high) if confidence == "95" else (trend.slow, trend.fast)
    assert trend.slope == pytest.approx(theirs.slope)
    slopes = np.sort([(values[b] - values[a]) / (b - a) for a in range(17) for b in range(a + 1, 17)])
    assert abs(np.searchsorted(slopes, ours[0]) - np.searchsorted(slopes, theirs.low_slope)) <= 2
    assert abs(np.searchsorted(slopes, ours[1]) - np.searchsorted(slopes, theirs.high_slope)) <= 2


def test_the_line_goes_through_the_median_of_what_it_leaves():
    values = line(21, 0.5)
    trend = find_trend(values, "key")
    assert trend.middle == 10
    assert trend.level == pytest.approx(np.median(values - trend.slope * (np.arange(21) - 10)))


def test_spikes_do_not_bend_it():
    values = line(20, 0.4)
    values[[3, 17]] += [500, -500]
    trend = find_trend(values, "key")
    assert trend.why_not == ""
    assert trend.slope == pytest.approx(0.4, abs=0.15)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (line(9, 5), NOT_ENOUGH),
        (line(20, 0), ZERO_INSIDE),
        ([5.0] * 20, ZERO_INSIDE),
        ([*([5.0] * 19), 9.0], ZERO_INSIDE),
    ],
)
def test_no_trend_has_a_reason(values, why: str):
    assert find_trend(values, "key").why_not == why


def test_a_trend_may_be_too_small_to_matter():
    assert find_trend(line(20, 0.4), "key", least_shift=6).why_not == ""
    assert find_trend(line(20, 0.4), "key", least_shift=12).why_not == TOO_SMALL


def wander(seed: int, phi: float = 0.6, n: int = 20) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=n + 50)
    for place in range(1, len(values)):
        values[place] += phi * values[place - 1]
    return values[50:]


def test_series_that_remember_wander_without_a_trend():
    trends = [find_trend(wander(seed), str(seed)) for seed in range(300)]
    assert np.mean([trend.why_not == "" for trend in trends]) <= 0.1
    assert np.mean([trend.why_not in {"", REMEMBERS} for trend in trends]) >= 0.17


def test_false_alarms_are_as_rare_as_is_said():
    trends = [find_trend(line(20, 0, seed), str(seed)) for seed in range(400)]
    assert np.mean([trend.why_not == "" for trend in trends]) <= 0.06


def test_weak_trends_are_found_as_often_as_they_were():
    found = [find_trend(line(20, 0.15, seed), str(seed)).why_not == "" for seed in range(100)]
    assert np.mean(found) >= 0.8


def test_times_may_have_gaps():
    times = np.array([0, 1, 2, 3, 10, 11, 12, 20, 21, 22, 30, 31.0])
    trend = find_trend(3 + 2 * times + 0.01 * np.random.default_rng(1).normal(size=12), "key", times)
    assert trend.slope == pytest.approx(2, abs=0.01)
    assert (trend.first, trend.last) == (0, 31)
    assert crossing(trend, 69).time == pytest.approx(33, abs=0.1)


@pytest.mark.parametrize("times", [[], [1], [1, 1, 1]])
def test_one_time_has_no_slope(times: list[float]):
    assert find_trend(times, "key", times) is None


def test_the_crossing_of_a_limit():
    trend = find_trend(line(30, 0.5), "key")
    found = crossing(trend, 20)
    assert found.time == pytest.approx(40, abs=3)
    assert found.earliest == pytest.approx(trend.middle + (20 - trend.level) / trend.fast)
    assert found.latest == pytest.approx(trend.middle + (20 - trend.level) / trend.slow)
    assert found.earliest < found.time < found.latest


def test_a_falling_series_reaches_a_lower_limit():
    rising, falling = find_trend(line(30, 0.5), "key"), find_trend(-line(30, 0.5), "key")
    up, down = crossing(rising, 20), crossing(falling, -20)
    assert (down.time, down.earliest, down.latest) == pytest.approx((up.time, up.earliest, up.latest))


@pytest.mark.parametrize("limit", [-20, 10, 35])
def test_no_crossing_the_other_way_or_in_the_past_or_beyond_sight(limit: float):
    assert crossing(find_trend(line(30, 0.5), "key"), limit) is None


def test_the_latest_time_may_be_beyond_sight():
    trend = find_trend(line(20, 0.2), "key")
    found = crossing(trend, trend.level + trend.slope * 27)
    assert found.time == pytest.approx(trend.middle + 27)
    assert found.latest is None
    assert trend.last < found.earliest < found.time


def test_without_a_trend_nothing_is_crossed():
    assert crossing(find_trend(line(20, 0), "key"), 5) is None


def test_the_interval_holds_the_true_crossing_as_often_as_is_said():
    held = []
    for seed in range(300):
        trend = find_trend(line(30, 0.3, seed), str(seed))
        found = crossing(trend, 0.3 * 40)
        if found:
            held.append(found.earliest <= 40 <= (found.latest or np.inf))
    assert len(held) > 250
    assert 0.83 <= np.mean(held) <= 0.95
