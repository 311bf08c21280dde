# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rack_recipes.analysis.methods.intervals_and_multiple_tests import adjust_p_values, greatest_kept_p, mark_kept_tests

# The 15 tests of Benjamini and Hochberg's own example (1995, section 3.1): four are kept at .05.
THROMBOLYSIS = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]


def test_the_example_of_the_authors():
    assert mark_kept_tests(THROMBOLYSIS, 0.05).tolist() == [True] * 4 + [False] * 11
    assert greatest_kept_p(THROMBOLYSIS, 0.05) == 0.0095


def test_nothing_is_kept_of_nothing():
    assert mark_kept_tests([]).tolist() == []
    assert greatest_kept_p([], 0.05) == 0
    assert greatest_kept_p([0.3, 0.9], 0.05) == 0


def test_the_order_of_tests_does_not_matter():
    order = np.random.default_rng(1).permutation(15)
    np.testing.assert_array_equal(adjust_p_values(np.array(THROMBOLYSIS)[order]), adjust_p_values(THROMBOLYSIS)[order])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_scipy_adjusts_alike(p):
    np.testing.assert_allclose(adjust_p_values(p), stats.false_discovery_control(p), rtol=1e-12)


@pytest.mark.parametrize(("p", "is_kept"), [(0.05, True), (0.0500001, False)])
def test_one_test_alone_is_judged_as_always(p: float, is_kept: bool):
    assert bool(mark_kept_tests([p])[0]) is is_kept
