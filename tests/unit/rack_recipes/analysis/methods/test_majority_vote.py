# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.analysis.methods.outliers import vote


@pytest.mark.parametrize(
    ("values", "expected", "winner", "votes", "deviants"),
    [
        (["1.2"] * 39 + ["1.1"], None, "1.2", 39, (39,)),
        (["a", "a", "b"], None, "a", 2, (2,)),
        (["a", "a", "b", "b"], None, None, 0, ()),
        (["a", "a", "b", "c"], None, None, 0, ()),
        (["a", "a", "b"], "b", "b", 1, (0, 1)),
        (["a", "a"], "b", "b", 0, (0, 1)),
        ([], None, None, 0, ()),
        (["a"], None, "a", 1, ()),
    ],
)
def test_the_majority_or_what_is_expected_is_right(values, expected, winner, votes, deviants):
    found = vote(values, expected)
    assert (found.winner, found.votes, found.deviants) == (winner, votes, deviants)
    assert found.hosts == len(values)
    assert found.was_expected is (expected is not None)
