# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import Place
from rack_recipes.run.trust.context_key_access import KeyAccess, guarded_actions
from rack_recipes.run.trust.os_user import User
from rack_recipes.run.trust.policy import Policy, Rule

ALICE = User("alice", frozenset({"netops"}))
NO_RULE = ": no rule says that they may"


def policy(*rules: dict[str, Any]) -> Policy:
    """Each rule is in a line of its own."""
    made = (Rule(Place("policy.yml", line, 5), **{"allows": True, **rule}) for line, rule in enumerate(rules, 2))
    return Policy("policy.yml", Path(), tuple(made))


def refusal(key: str, action: str, *rules: dict[str, Any]) -> str:
    return KeyAccess(policy(*rules), ALICE).refusal(action, key)


WRITES = {"actions": ("write",), "groups": ("net*",), "keys": ("link.*", "power.*")}
OF_ROOT = {**WRITES, "groups": ("root",)}
NOT_POWER = {"actions": ("read", "write"), "users": ("*",), "keys": ("power.*",), "allows": False}
RUNS = {"actions": ("run",), "users": ("*",)}


@pytest.mark.parametrize(
    ("key", "action", "rules", "reason"),
    [
        ("any_v1", "write", (RUNS,), ""),
        ("any_v1", "read", (WRITES,), ""),
        ("link.a_v1", "write", (WRITES,), ""),
        ("any_v1", "write", (WRITES,), f"policy.yml: alice may not write any_v1{NO_RULE}"),
        ("power.a_v1", "write", (WRITES, NOT_POWER), "policy.yml:3: alice may not write power.a_v1"),
        ("power.a_v1", "read", (WRITES, NOT_POWER), "policy.yml:3: alice may not read power.a_v1"),
        ("link.a_v1", "write", (OF_ROOT,), f"policy.yml: alice may not write link.a_v1{NO_RULE}"),
        ("any_v1", "write", ({**WRITES, "keys": None},), ""),
    ],
)
def test_who_may(key, action, rules, reason):
    assert refusal(key, action, *rules) == reason


def test_an_action_is_guarded_once_a_rule_is_about_it():
    assert guarded_actions(policy(RUNS)) == frozenset()
    assert guarded_actions(policy(RUNS, WRITES)) == {"write"}


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ((RUNS,), ""),
        (({**WRITES, "keys": None},), ""),
        (({**WRITES, "keys": ("*",)},), ""),
        ((WRITES,), f"policy.yml: alice may not write any key{NO_RULE}"),
        (({**WRITES, "keys": None}, NOT_POWER), "policy.yml:3: alice may not write any key"),
    ],
)
def test_who_may_do_it_with_every_key(rules, reason):
    assert KeyAccess(policy(*rules), ALICE).refusal_of_any("write") == reason
