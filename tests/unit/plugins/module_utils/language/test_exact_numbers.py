# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import (
    difference,
    distance_inside_percent,
    equality_key,
    is_number,
    quantile,
)

WIDE = 2**53


@pytest.mark.parametrize("value", [0, -1, 1.5, 5e-324, 1.7976931348623157e308, 2**63, WIDE + 1])
def test_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", [True, False, None, "1", [1], {}, float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_number(value):
    assert not is_number(value)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (5, 3, 2),
        (5.0, 3, 2.0),
        (9, 8.9, 0.1),
        (0.3, 0.1, 0.2),
        (WIDE + 1, float(WIDE), 1.0),
        (1e300, 1e-300, 1e300),
        (-(2**63), 2**63 - 1, -float(2**64)),
        (1.7e308, -1.7e308, 1.7976931348623157e308),
        (-1.7e308, 1.7e308, -1.7976931348623157e308),
    ],
)
def test_differences_are_those_of_the_numbers_as_written(one, other, expected):
    assert repr(difference(one, other)) == repr(expected)


def test_a_share_of_the_largest_number():
    assert distance_inside_percent(1.7e308, 1.7e308, 200) == 1.7976931348623157e308


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7], 0.3, 7),
        ([3, 1, 2], 0.5, 2),
        ([3, 1], 0.5, 2),
        ([1, 2], 0.5, 1.5),
        ([1.0, 3.0], 0.5, 2.0),
        ([0.1, 0.2], 0.5, 0.15),
        (list(range(101)), 0.29, 29),
        (list(range(101)), 0.95, 95),
        (list(range(101)), 1, 100),
        (list(range(101)), 0, 0),
        (list(range(10)), 0.95, 8.55),
        ([WIDE + 1, WIDE + 3], 0.5, WIDE + 2),
        ([-1.7e308, 1.7e308], 0.5, 0.0),
    ],
)
def test_quantiles(values, share, expected):
    assert repr(quantile(values, share)) == repr(expected)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ([1, [2]], [1.0, [2]], True),
        ([1, 2], [2, 1], False),
        ([], {}, False),
        ({"a": 1, "b": [True]}, {"b": [True], "a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": None}, {}, False),
        (WIDE + 1, float(WIDE), False),
        ([["a", 1]], {"a": 1}, False),
        ([True], [[bool, True]], False),
        (0.0, -0.0, True),
    ],
)
def test_values_that_are_equal_as_json(one, other, equal):
    assert (equality_key(one) == equality_key(other)) is equal
    if equal:
        assert hash(equality_key(one)) == hash(equality_key(other))
