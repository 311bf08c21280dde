# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from rack_recipes.context.merge_policies import MergePolicies, from_record, hook_of, hooks_in, to_record

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
