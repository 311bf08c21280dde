# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.context.merge_policies import ABSENT, deep_merge

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["a", "b", ""])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)


def text(value: Any) -> str:
    """What tells 1, 1.0 and true apart, whatever the order of fields."""
    return json.dumps(value, sort_keys=True)


@given(VALUES, VALUES)
def test_where_one_side_changed_nothing_the_other_s_is_taken(base: Any, changed: Any) -> None:
    for theirs, ours in ((changed, base), (base, changed)):
        merged, both = deep_merge(base, theirs, ours)
        assert (text(merged), both) == (text(changed), ())


@given(VALUES, VALUES)
def test_the_same_change_on_both_sides_is_no_contradiction(base: Any, changed: Any) -> None:
    merged, both = deep_merge(base, changed, json.loads(json.dumps(changed)))
    assert (text(merged), both) == (text(changed), ())


@given(VALUES, VALUES, VALUES)
def test_the_order_of_writes_matters_only_where_both_changed_the_same(base: Any, first: Any, second: Any) -> None:
    (one, both), (other, others) = deep_merge(base, first, second), deep_merge(base, second, first)
    assert sorted(both) == sorted(others)
    assert both or text(one) == text(other)


@given(VALUES, VALUES, VALUES)
def test_it_changes_none_of_its_arguments(base: Any, theirs: Any, ours: Any) -> None:
    before = text([base, theirs, ours])
    deep_merge(base, theirs, ours)
    assert text([base, theirs, ours]) == before


@pytest.mark.parametrize(
    ("base", "theirs", "ours", "merged", "both"),
    [
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}, ()),
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 3}, ("a",)),
        ({"p": {"x": 1, "y": 1}}, {"p": {"x": 2, "y": 1}}, {"p": {"x": 3, "y": 4}}, {"p": {"x": 3, "y": 4}}, ("p.x",)),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2}, ()),
        ({"a": 1}, {}, {"a": 2}, {"a": 2}, ("a",)),
        ({"a": 1}, {"a": 2}, {}, {}, ("a",)),
        ([1], [1, 2], [1, 3], [1, 3], ("",)),
        (1, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}, ()),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}, ()),
        (ABSENT, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}, ()),
        (ABSENT, {"a": 1}, {"a": 2}, {"a": 2}, ("a",)),
        (ABSENT, 1, 2, 2, ("",)),
        (None, 1, None, 1, ()),
    ],
)
def test_field_by_field(base: Any, theirs: Any, ours: Any, merged: Any, both: tuple[str, ...]) -> None:
    found, changed = deep_merge(base, theirs, ours)
    assert (text(found), changed) == (text(merged), both)
