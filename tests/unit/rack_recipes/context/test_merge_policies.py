# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.context.merge_policies import (
    ABSENT,
    MergePolicies,
    deep_merge,
    from_record,
    hook_of,
    hooks_in,
    to_record,
)

RULES = (("power.limits_v?", "fail"), ("power.*", "deep_merge"), ("site.*", "hook site.merge_power"))


@pytest.mark.parametrize(
    ("key", "policy", "needs_base"),
    [
        ("power.limits_v1", "fail", False),
        ("power.limits_v10", "deep_merge", True),
        ("power.psu.draw_v1", "deep_merge", True),
        ("site.all_v1", "hook site.merge_power", True),
        ("numbers.stats_v1", "last_write", False),
        ("POWER.x_v1", "last_write", False),
    ],
)
def test_the_first_pattern_that_matches_is_the_key_s(key: str, policy: str, *, needs_base: bool) -> None:
    policies = MergePolicies(RULES)
    assert [policies.policy_of(key), policies.policy_of(key)] == [policy] * 2
    assert policies.needs_base(key) is needs_base


def test_without_rules_the_last_write_counts() -> None:
    assert MergePolicies().policy_of("any_v1") == "last_write"
    assert not MergePolicies().needs_base("any_v1")


def test_they_are_the_same_after_the_journal() -> None:
    record = to_record(RULES, {"hook site.merge_power": "sha256:00"})
    assert record[2] == {"keys": "site.*", "policy": "hook site.merge_power", "digest": "sha256:00"}
    assert from_record(record).rules == RULES


@pytest.mark.parametrize("entries", [None, {}, "fail", [1, {}, {"keys": 1, "policy": "fail"}, {"keys": "a"}]])
def test_what_is_no_rule_in_a_record_is_passed_over(entries: Any) -> None:
    assert from_record(entries).rules == ()


def test_hooks_among_the_rules() -> None:
    assert [*hooks_in((*RULES, ("more.*", "hook site.merge_power")))] == ["hook site.merge_power"]
    assert [hook_of(policy) for _keys, policy in RULES] == ["", "", "site.merge_power"]


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
