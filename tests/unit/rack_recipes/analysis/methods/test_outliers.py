# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from math import nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rack_recipes.analysis.methods import outliers
from rack_recipes.analysis.methods.outliers import Twins, find_suspects, find_two_groups, judge_groups

PUBLISHED = Path(__file__).parents[1] / "published"


def published(name: str) -> dict:
    """Data of others, with their source and what they say of it."""
    return json.loads((PUBLISHED / f"{name}.json").read_text())


def test_rosner_s_own_example_has_three_outliers():
    """By his method, and among twins, where one rate is for all groups of a run."""
    rosner = published("rosner")
    values = np.array(rosner["values"])
    suspects = find_suspects(values, 10)
    assert [values[each.place] for each in suspects[:4]] == [6.01, 5.42, 5.34, 4.64]
    assert max(rank for rank, each in enumerate(suspects, 1) if each.p <= 0.05) == 3
    found = one(values)
    assert (sorted(named(found)), found.is_alarm) == (rosner["outliers"], True)


def test_grubbs_outlier_of_eight_is_an_alarm():
    found = one(published("grubbs")["values"])
    assert (named(found), found.method, found.is_alarm) == ([7], outliers.SMALL, True)


def test_two_of_15_that_tietjen_and_moore_reject_are_not_rare_enough_for_a_whole_run():
    """Their test at .05 names something in one of twenty healthy measurements."""
    values = np.array(published("tietjen_moore")["values"])
    assert named(one(values)) == []
    far = abs(values[0] - np.median(values)) / (1.4826 * np.median(np.abs(values - np.median(values))))
    assert far == pytest.approx(3.3, abs=0.1)


@pytest.mark.parametrize(("factor", "offset"), [(1, 0), (1, 299_000), (1000, 299_000_000)])
def test_michelson_s_speed_of_light_is_judged_alike_in_any_unit(factor: float, offset: float):
    """Of his five experiments the third has values far from all others, as its box plot has, too."""
    told = published("michelson")
    parts = np.array(told["values"], dtype=float).reshape(5, 20)
    found = [sorted(named(one(part * factor + offset))) for part in parts]
    assert found == [[], [], told["outliers"], [], []]


def test_old_faithful_has_two_kinds_of_eruptions():
    told = published("old_faithful")
    found = one(told["values"], attributes=told["attributes"]).groups
    (separator,) = found.separators
    assert (separator.attribute, separator.lower, separator.upper) == ("kind", ("short",), ("long",))
    assert (len(found.lower), len(found.upper), separator.exceptions) == (98, 174, 6)


def textbook(values: np.ndarray, most: int) -> list[tuple[float, float]]:
    """The same by NIST's description: the value that is removed, and its p."""
    left, found = values.tolist(), []
    for _turn in range(most):
        mean, deviation, count = np.mean(left), np.std(left, ddof=1), len(left)
        value = max(left, key=lambda one: abs(one - mean))
        score = abs(value - mean) / deviation
        room = (count - 1) ** 2 / count - score**2
        t = score * np.sqrt((count - 2) / room)
        found.append((value, min(2 * count * stats.t.sf(t, count - 2), 1)))
        left.remove(value)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_it_follows_the_textbook(seed: int):
    random = np.random.default_rng(seed)
    values = random.normal(size=16 + seed) + 12 * (random.random(16 + seed) < 0.15)
    expected = textbook(values, 5)
    for suspect, (value, p) in zip(find_suspects(values, 5), expected, strict=True):
        assert values[suspect.place] == value
        assert suspect.p == pytest.approx(p, rel=1e-6) or (suspect.p == 1 and p > 0.05)


def test_a_huge_outlier_hides_no_digits_of_the_rest():
    values = np.concatenate([np.random.default_rng(1).normal(size=40), [6.0, 1e14]])
    first, second, third = find_suspects(values, 3)
    assert (first.place, second.place) == (41, 40)
    assert second.p == pytest.approx(textbook(values[:41], 1)[0][1], rel=1e-6)
    assert third.p > 0.05


def test_a_deviation_has_a_least_size():
    values = np.array([0.0] * 10 + [1.0] * 9 + [4.0])
    assert find_suspects(values, 1)[0].p < 0.01
    assert find_suspects(values, 1, least_deviation=3)[0].p == 1


def test_values_that_are_all_alike_have_no_suspect():
    assert {each.p for each in find_suspects(np.full(20, 3.0), 5)} == {1}


def test_one_value_that_is_all_the_spread_is_certain():
    assert find_suspects(np.array([*([0.0] * 19), 1.0]), 1)[0] == (19, 0)


def test_false_alarms_are_as_rare_as_is_said():
    random = np.random.default_rng(4)
    found = [min(each.p for each in find_suspects(random.normal(size=40), 13)) <= 0.01 for _turn in range(1500)]
    assert 0.003 <= np.mean(found) <= 0.02


N = 40
NIC = ["old"] * 30 + ["new"] * 10


def split(gap: float, minority: int = 10, seed: int = 1) -> np.ndarray:
    values = 100 + np.random.default_rng(seed).normal(size=N)
    values[N - minority :] += gap
    return values


def test_two_groups_are_told_apart_by_an_attribute():
    found = find_two_groups(split(12), {"nic_model": NIC, "rack": ["r1", "r2"] * 20}, 4, must_part=False)
    assert found.lower == tuple(range(30))
    assert found.upper == tuple(range(30, 40))
    assert found.above - found.below > 6
    (separator,) = found.separators
    assert (separator.attribute, separator.lower, separator.upper) == ("nic_model", ("old",), ("new",))
    assert separator.p == pytest.approx(2 * 2 / 847660528)


def test_an_attribute_may_have_several_values_on_a_side():
    nic = ["a"] * 15 + ["b"] * 15 + ["c"] * 5 + ["d"] * 5
    (separator,) = find_two_groups(split(12), {"nic": nic}, 4, must_part=False).separators
    assert (separator.lower, separator.upper) == (("a", "b"), ("c", "d"))


@pytest.mark.parametrize(
    "attributes",
    [{}, {"rack": ["r1", "r2"] * 20}, {"serial": [f"S{number}" for number in range(N)]}, {"model": ["M"] * N}],
    ids=["none", "another", "serial", "constant"],
)
@pytest.mark.parametrize("must_part", [True, False])
def test_without_an_attribute_that_fits_they_are_no_groups(attributes, must_part: bool):
    assert find_two_groups(split(12), attributes, 4, must_part=must_part) is None


@pytest.mark.parametrize(("minority", "found"), [(4, False), (5, True), (35, True), (36, False)])
def test_a_few_are_outliers_and_no_group(minority: int, found: bool):
    nic = ["old"] * (N - minority) + ["new"] * minority
    assert bool(find_two_groups(split(12, minority), {"nic": nic}, 4, must_part=False)) is found


@pytest.mark.parametrize(("factor", "found"), [(13.9, False), (14.1, True)])
def test_a_gap_is_wide_from_14_median_gaps(factor: float, found: bool):
    values = np.concatenate([np.arange(30.0), 29 + factor + np.arange(10.0)])
    assert bool(find_two_groups(values, {"nic": NIC}, 4, must_part=False)) is found
    assert find_two_groups(values, {"nic": NIC}, 4, must_part=True)


def test_fewer_than_16_hosts_have_no_wide_gap():
    values = np.concatenate([np.arange(8.0), 500 + np.arange(7.0)])
    attributes = {"nic": ["old"] * 8 + ["new"] * 7}
    assert find_two_groups(values, attributes, 1, must_part=False) is None
    assert find_two_groups(values, attributes, 1, must_part=True)
    more = np.concatenate([[-1.0], values])
    assert find_two_groups(more, {"nic": ["old"] * 9 + ["new"] * 7}, 1, must_part=False)


@pytest.mark.parametrize(("wrong", "found"), [(2, True), (3, False)])
def test_one_host_in_twenty_may_be_an_exception(wrong: int, found: bool):
    nic = [*NIC[:-wrong], *["old"] * wrong]
    groups = find_two_groups(split(12), {"nic": nic}, 4, must_part=False)
    assert [each.exceptions for each in groups.separators if groups] == [wrong] if found else groups is None


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [3.0] * 20])
def test_what_has_no_gap_is_one_group(values: list[float]):
    assert find_two_groups(np.array(values), {"nic": ["a"] * len(values)}, 1, must_part=True) is None


def normal(n: int, seed: int = 1) -> np.ndarray:
    return 100 + np.random.default_rng(seed).normal(size=n)


def planted(n: int, size: float, seed: int = 1) -> np.ndarray:
    values = normal(n, seed)
    values[2] += size
    return values


def one(values, **fields) -> outliers.Outcome:
    return judge_groups([Twins(np.asarray(values, dtype=float), **fields)])[0]


def named(outcome: outliers.Outcome) -> list[int]:
    return [each.place for each in outcome.outliers]


@pytest.mark.parametrize("values", [[1.0], [1, 99], [1, 1, 99]])
def test_up_to_three_hosts_are_only_listed(values):
    found = one(values)
    assert (found.method, found.outliers, found.is_alarm) == (outliers.LIST, (), False)


@pytest.mark.parametrize("n", range(4, 16))
def test_a_small_group_without_history_is_an_alarm_only_beyond_long_tails(n: int):
    for score, sure in ((1.02 * outliers.SMALL_SCORES[n - 4], False), (1.02 * outliers.SURE_SCORES[n - 4], True)):
        found = one(at_score(n, score))
        assert (found.method, named(found), found.is_alarm) == (outliers.SMALL, [n - 1], sure)
        assert found.outliers[0].p is None
    assert one(normal(n, seed=2)).outliers == ()


def at_score(n: int, score: float) -> np.ndarray:
    """Values of which the last is so many deviations from the median."""
    values = np.array([*(np.arange(1.0, n) - (n - 1) / 2), 10.0 * n])
    values[-1] = np.median(values) + score * 1.4826 * np.median(np.abs(values - np.median(values)))
    return values


@pytest.mark.parametrize(("n", "score"), [(4, 20.7), (8, 15.3), (15, 15.8)])
def test_how_far_long_tails_reach_in_one_group_of_a_hundred(n: int, score: float):
    assert [one(at_score(n, score + step)).is_alarm for step in (-0.2, 0.2)] == [False, True]


@pytest.mark.parametrize("n", [4, 9])
def test_one_in_a_hundred_small_groups_of_normal_values_has_an_outlier(n: int):
    random = np.random.default_rng(n)
    twins = [Twins(random.normal(100, 3, size=n)) for _turn in range(1500)]
    share = np.mean([bool(each.outliers) for each in judge_groups(twins)])
    assert 0.005 <= share <= 0.016


def history(n: int, runs: int = 20, seed: int = 9) -> np.ndarray:
    return 100 + np.random.default_rng(seed).normal(size=(runs, n))


def test_a_small_group_is_compared_with_its_history():
    found = one(planted(8, 12), history=history(8))
    assert (found.method, named(found), found.is_alarm, found.earlier_runs) == (outliers.HISTORY, [2], True, 20)
    assert found.outliers[0].beyond_history is True
    assert one(normal(8), history=history(8)).is_alarm is False


@pytest.mark.parametrize(("size", "flagged"), [(14.9, []), (15.1, [3])])
def test_further_than_any_twin_ever_was_means_half_as_far_again(size: float, flagged: list[int]):
    earlier = np.zeros((10, 7))
    earlier[4, 1] = -10
    earlier[5, 2] = 6  # or the ten would be a known outlier
    found = one([-3, -2, -1, size, 1, 2, 0], history=earlier)
    assert named(found) == flagged


def test_nine_earlier_runs_are_no_history():
    assert one(normal(8), history=history(8, runs=9)).method == outliers.SMALL
    assert one(normal(8), history=history(8, runs=10)).method == outliers.HISTORY


def test_hosts_may_be_absent_from_earlier_runs():
    earlier = history(8)
    earlier[3, :] = nan
    earlier[5, 2:7] = nan
    found = one(planted(8, 12), history=earlier)
    assert (named(found), found.earlier_runs) == ([2], 19)


def test_false_alarms_against_a_history_are_as_rare_as_is_said():
    random = np.random.default_rng(8)
    twins = [Twins(random.normal(size=8), random.normal(size=(20, 8))) for _turn in range(600)]
    assert np.mean([each.is_alarm for each in judge_groups(twins)]) <= 0.006


def test_a_large_group_is_judged_by_gesd():
    found = one(planted(40, 9))
    assert (found.method, named(found), found.is_alarm) == (outliers.GESD, [2], True)
    (outlier,) = found.outliers
    assert outlier.p < 0.001
    assert outlier.distance == pytest.approx(outlier.value - found.center)
    assert outlier.score == pytest.approx(abs(outlier.distance) / found.scale)
    assert 0.5 < outlier.spread_explained < 1


def test_spread_explained_is_what_goes_away_without_the_host():
    values = planted(40, 9)
    (outlier,) = one(values).outliers
    rest = np.delete(values, 2)
    explained = 1 - ((rest - rest.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum()
    assert outlier.spread_explained == pytest.approx(explained, rel=1e-9)


def test_16_hosts_are_many():
    assert one(normal(16)).method == outliers.GESD
    assert one(normal(15)).method == outliers.SMALL


def test_with_a_history_an_alarm_is_also_further_out_than_any_twin_ever_was():
    usual, unusual = history(40), 10 * (history(40) - 100) + 100
    assert one(planted(40, 9), history=usual).is_alarm is True
    found = one(planted(40, 9), history=unusual)
    assert (named(found), found.is_alarm, found.outliers[0].beyond_history) == ([2], False, False)


def test_the_rate_of_false_alarms_is_shared_by_all_groups():
    twins = [Twins(planted(40, 8 if seed < 10 else 0, seed)) for seed in range(200)]
    found = judge_groups(twins)
    assert sum(named(each)[:1] == [2] for each in found[:10]) >= 9
    assert sum(bool(each.outliers) for each in found[10:]) <= 3
    assert sum(bool(one(each.values).outliers) for each in twins[10:]) > 4


def test_several_outliers_do_not_hide_each_other():
    values = normal(40)
    values[[3, 7, 9]] += [9, 10, -12]
    assert named(one(values)) == [9, 7, 3]


def rails(value: float) -> np.ndarray:
    """31 rails at 12.05 V with a spread of 5 mV, and another."""
    volts = np.round(np.random.default_rng(5).normal(12.05, 0.005, 32), 3)
    volts[9] = value
    return volts


@pytest.mark.parametrize(("factor", "offset"), [(1, 0), (1000, 0), (1, 300), (1, -12.05), (0.3048, 1e4), (-1.8, 32)])
def test_a_rail_that_is_0_1_v_off_is_named_in_any_unit(factor: float, offset: float):
    assert named(one(rails(11.94) * factor + offset)) == [9]
    assert named(one(rails(12.05) * factor + offset)) == []


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(4, 40),
    size=st.sampled_from([0, 6, 12, 40]),
    runs=st.sampled_from([0, 12]),
    factor=st.sampled_from([-1e3, -1.8, 1e-3, 0.3048, 1, 1e3, 1024]),
    offset=st.integers(-300_000, 300_000),
)
def test_the_unit_of_the_values_does_not_matter(seed: int, n: int, size: float, runs: int, factor: float, offset: int):
    values, earlier = planted(n, size, seed), history(n, runs, seed)
    found, again = one(values, history=earlier), one(values * factor + offset, history=earlier * factor + offset)
    assert (named(again), again.method, again.is_alarm) == (named(found), found.method, found.is_alarm)


def test_one_of_forty_that_are_alike_is_outvoted():
    values = np.full(40, 25.0)
    values[7] = 40
    found = one(values)
    assert (found.method, named(found), found.is_alarm, found.center) == (outliers.VOTE, [7], False, 25)
    assert (found.outliers[0].score, found.outliers[0].p) == (None, None)


@pytest.mark.parametrize(
    ("n", "deviants", "count"), [(40, 4, 4), (40, 5, 0), (39, 4, 0), (8, 1, 1), (8, 2, 0), (4, 1, 1)]
)
def test_a_tenth_may_be_outvoted_and_at_least_one(n: int, deviants: int, count: int):
    values = np.full(n, 25.0)
    values[:deviants] = 40 + 3 * np.arange(deviants)
    assert len(one(values).outliers) == count


def test_a_vote_keeps_to_the_resolution():
    values = np.array([25.0] * 19 + [27.0])
    assert named(one(values)) == [19]
    assert named(one(values, resolution=5)) == []


SAME = np.full((12, 8), 8.0)


@pytest.mark.parametrize(
    ("values", "earlier", "flagged"),
    [
        ([8, 8, 8, 8, 8, 7, 8, 8], None, [5]),
        ([8, 8, 8, 8, 8, 7, 8, 8], SAME, [5]),
        ([8, 8, 8, 8, 8, 7, 8, 8], SAME - [0, 0, 0, 0, 0, 1, 0, 0], [5]),  # always so
        ([8, 8, 8, 8, 8, 7, 8, 8], SAME - np.eye(12, 8), []),  # others were 7, too
        ([9, 9, 9, 9, 9, 7, 9, 9], SAME, [5]),  # all got one more
        ([8, 8, 8, 8, 8, 7, 6, 8], None, []),  # more than a tenth
        ([0, 0, 0, 0, 0, 1, 0, 0], None, []),  # events
        ([8.5, 8.5, 8.5, 8.5, 8.5, 7.5, 8.5, 8.5], None, []),
    ],
)
def test_a_setting_is_the_same_on_all_twins(values: list[float], earlier: np.ndarray | None, flagged: list[int]):
    found = one(values, history=earlier, may_be_setting=True)
    assert (named(found) if found.method == outliers.SETTING else []) == flagged
    assert found.is_alarm is bool(flagged)


def test_a_host_that_drifts_does_not_raise_its_own_bar():
    earlier = history(8, runs=29)
    earlier[:, 3] += 0.5 * np.arange(29)
    values = normal(8)
    values[3] += 14.5
    assert named(one(values, history=earlier)) == [3]
    assert named(one(values, history=earlier[:, [0, 1, 2, 4, 3, 5, 6, 7]])) == []  # that of another host


def test_what_always_was_apart_is_nothing_new():
    earlier, values = history(8), normal(8)
    earlier[:, 3] += 20
    values[3] += 20
    assert named(one(values, history=earlier)) == []
    values[5] += 20
    assert named(one(values, history=earlier)) == [5]


def test_a_known_outlier_does_not_hide_the_next_one_and_noise_is_none():
    spiked, spiky = history(12), history(12)
    spiked[7, 3] += 30
    spiky[np.arange(12), np.arange(12)] += 30  # of any host
    values = planted(12, 15)
    assert named(one(values, history=spiked)) == [2]
    assert named(one(values, history=spiky)) == []


def test_values_that_are_all_alike_have_no_outlier():
    assert one([5.0] * 40).outliers == ()
    assert one([0.0] * 6).outliers == ()


def test_counts_vary_by_their_square_root():
    random = np.random.default_rng(3)
    rare = [Twins(random.poisson(0.1, 40).astype(float), counts=True) for _turn in range(300)]
    assert np.mean([bool(each.outliers) for each in judge_groups(rare)]) <= 0.05
    more = [Twins(random.poisson(3, 40).astype(float), counts=True) for _turn in range(300)]
    assert np.mean([bool(each.outliers) for each in judge_groups(more)]) <= 0.02
    values = random.poisson(3, 40).astype(float)
    values[2] = 25
    assert named(one(values, counts=True)) == [2]


@pytest.mark.parametrize(("errors", "flagged"), [(17, []), (19, [0])])
def test_a_count_must_be_4_and_a_half_deviations_away(errors: float, flagged: list[int]):
    values = np.array([errors + 16.0, *([16.0] * 39)])
    assert named(one(values, counts=True)) == flagged


def test_two_groups_are_no_outliers():
    values = normal(40)
    values[30:] += 12
    found = one(values, attributes={"nic_model": ["old"] * 30 + ["new"] * 10})
    assert (found.outliers, found.is_alarm) == ((), False)
    assert found.groups.separators[0].attribute == "nic_model"
    assert found.groups.upper == tuple(range(30, 40))


def test_two_groups_of_values_without_spread():
    found = one([5.0] * 25 + [6.0] * 15, attributes={"nic": ["a"] * 25 + ["b"] * 15})
    assert found.groups.separators[0].attribute == "nic"
    assert one([5.0] * 25 + [6.0] * 15).groups is None


def test_a_group_without_values_is_refused():
    with pytest.raises(ValueError, match="a group needs values"):
        one([])


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="only finite numbers"):
        one([1, 2, nan, 4])
