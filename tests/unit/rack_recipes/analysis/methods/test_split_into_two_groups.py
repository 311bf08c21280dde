# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest

from rack_recipes.analysis.methods.outliers import two_groups

N = 40
NIC = ["old"] * 30 + ["new"] * 10


def split(gap: float, minority: int = 10, seed: int = 1) -> np.ndarray:
    values = 100 + np.random.default_rng(seed).normal(size=N)
    values[N - minority :] += gap
    return values


def test_two_groups_are_told_apart_by_an_attribute():
    found = two_groups(split(12), {"nic_model": NIC, "rack": ["r1", "r2"] * 20}, 4, must_part=False)
    assert found.lower == tuple(range(30))
    assert found.upper == tuple(range(30, 40))
    assert found.above - found.below > 6
    (separator,) = found.separators
    assert (separator.attribute, separator.lower, separator.upper) == ("nic_model", ("old",), ("new",))
    assert separator.p == pytest.approx(2 * 2 / 847660528)


def test_an_attribute_may_have_several_values_on_a_side():
    nic = ["a"] * 15 + ["b"] * 15 + ["c"] * 5 + ["d"] * 5
    (separator,) = two_groups(split(12), {"nic": nic}, 4, must_part=False).separators
    assert (separator.lower, separator.upper) == (("a", "b"), ("c", "d"))


@pytest.mark.parametrize(
    "attributes",
    [{}, {"rack": ["r1", "r2"] * 20}, {"serial": [f"S{number}" for number in range(N)]}, {"model": ["M"] * N}],
    ids=["none", "another", "serial", "constant"],
)
@pytest.mark.parametrize("must_part", [True, False])
def test_without_an_attribute_that_fits_they_are_no_groups(attributes, must_part: bool):
    assert two_groups(split(12), attributes, 4, must_part=must_part) is None


@pytest.mark.parametrize(("minority", "found"), [(4, False), (5, True), (35, True), (36, False)])
def test_a_few_are_outliers_and_no_group(minority: int, found: bool):
    nic = ["old"] * (N - minority) + ["new"] * minority
    assert bool(two_groups(split(12, minority), {"nic": nic}, 4, must_part=False)) is found


@pytest.mark.parametrize(("factor", "found"), [(13.9, False), (14.1, True)])
def test_a_gap_is_wide_from_14_median_gaps(factor: float, found: bool):
    values = np.concatenate([np.arange(30.0), 29 + factor + np.arange(10.0)])
    assert bool(two_groups(values, {"nic": NIC}, 4, must_part=False)) is found
    assert two_groups(values, {"nic": NIC}, 4, must_part=True)


def test_fewer_than_16_hosts_have_no_wide_gap():
    values = np.concatenate([np.arange(8.0), 500 + np.arange(7.0)])
    attributes = {"nic": ["old"] * 8 + ["new"] * 7}
    assert two_groups(values, attributes, 1, must_part=False) is None
    assert two_groups(values, attributes, 1, must_part=True)
    more = np.concatenate([[-1.0], values])
    assert two_groups(more, {"nic": ["old"] * 9 + ["new"] * 7}, 1, must_part=False)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [3.0] * 20])
def test_what_has_no_gap_is_one_group(values: list[float]):
    assert two_groups(np.array(values), {"nic": ["a"] * len(values)}, 1, must_part=True) is None
