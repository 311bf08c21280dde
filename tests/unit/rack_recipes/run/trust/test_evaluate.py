# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what, by which rule, and the reason where they may not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import Place
from rack_recipes.run.trust.os_user import User
from rack_recipes.run.trust.policy import Policy, PolicyCase, Rule, refusal_reasons

ALICE = User("alice", frozenset({"alice", "netops"}))
GROUPS = {"leafs": ("leaf1", "leaf2"), "all": ("leaf1", "leaf2", "spine1"), "spine1": ("spine1",)}
RUN = PolicyCase("run", "recipes/a.yml", "disk.usage", host="leaf1")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("recipes/a.yml", "recipes/lab/b.yml", "other/a.yml"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def policy(*rules: dict[str, Any]) -> Policy:
    """Each rule is in a line of its own."""
    made = (
        Rule(
            place=Place("policy.yml", line, 5),
            allows=(said := dict(rule)).pop("allows", True),
            actions=said.pop("actions", ("run",)),
            users=said.pop("users", ("alice",)),
            **said,
        )
        for line, rule in enumerate(rules, 2)
    )
    return Policy("policy.yml", Path.cwd(), tuple(made))


def reasons(*rules: dict[str, Any], case: PolicyCase = RUN, person: User = ALICE, before: bool = False) -> list[str]:
    return refusal_reasons(policy(*rules), person, [case], None if before else lambda pattern: GROUPS.get(pattern, ()))


def test_what_no_rule_allows_is_refused():
    said = "policy.yml: alice may not run recipes/a.yml: no rule says that they may"
    assert reasons() == [said]
    assert reasons({"users": ("bob",)}) == [said]
    assert reasons({"actions": ("debug",)}) == [said]


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({}, True),
        ({"users": ("al*",)}, True),
        ({"users": ("bob",), "groups": ("netops",)}, True),
        ({"users": (), "groups": ("net*",)}, True),
        ({"users": (), "groups": ("ops",)}, False),
        ({"recipes": ("recipes/*.yml",)}, True),
        ({"recipes": ("*.yml",)}, False),
        ({"recipes": ("**/a.yml",)}, True),
        ({"recipes": ("**",)}, True),
        ({"recipes": ("recipes/?.yml",)}, True),
        ({"recipes": ("x/../recipes/a.yml",)}, True),
        ({"scriptlets": ("disk.*",)}, True),
        ({"scriptlets": ("disk",)}, False),
        ({"scriptlets": ("rack.recipes.*", "*.usage")}, True),
        ({"hosts": ("leafs",)}, True),
        ({"hosts": ("spine1",)}, False),
        ({"hosts": ("unknown", "all")}, True),
        ({"become": True}, True),
        ({"become": ("root",)}, True),
        ({"store": True}, True),
    ],
)
def test_a_rule_allows_what_fits_all_that_it_says(rule: dict[str, Any], allowed: bool):
    assert (reasons(rule) == []) is allowed


@pytest.mark.parametrize(
    ("become", "user", "allowed"),
    [
        (None, "root", False),
        (False, "root", False),
        (True, "root", True),
        (("nobody",), "nobody", True),
        (("nobody",), "root", False),
        (None, "", True),
        (False, "", True),
    ],
)
def test_another_user_has_to_be_allowed(become: Any, user: str, allowed: bool):
    case = PolicyCase("run", "recipes/a.yml", "disk.usage", user, "leaf1")
    assert (reasons({"become": become}, case=case) == []) is allowed


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ([{"become": ("nobody",)}], False),
        ([{"become": True}], True),
        ([{}], False),
        ([{"become": True}, {"allows": False, "become": ("root",)}], False),
        ([{"become": True}, {"allows": False, "become": True}], False),
        ([{"become": True}, {"allows": False, "become": False}], True),
    ],
)
def test_one_who_may_be_anybody_is_who_is_forbidden(rules: list[dict[str, Any]], allowed: bool):
    case = replace(RUN, become="nobody", unsure="or somebody else")
    said = reasons(*rules, case=case)
    assert (said == []) is allowed
    assert all(line.endswith("with become as nobody, or somebody else") for line in said)


@pytest.mark.parametrize(
    ("rule", "forbidden"),
    [
        ({}, True),
        ({"actions": ("debug",)}, False),
        ({"users": ("bob",)}, False),
        ({"hosts": ("leafs",)}, True),
        ({"hosts": ("spine1",)}, False),
        ({"recipes": ("recipes/**",)}, True),
        ({"recipes": ("other/*",)}, False),
        ({"scriptlets": ("disk.*",)}, True),
        ({"scriptlets": ("link.*",)}, False),
        ({"become": True}, False),
        ({"become": False}, True),
        ({"store": True}, False),
    ],
)
def test_what_a_rule_forbids_is_refused_whatever_allows_it(rule: dict[str, Any], forbidden: bool):
    assert bool(reasons({}, {"allows": False, **rule})) is forbidden
    assert bool(reasons({"allows": False, **rule}, {})) is forbidden


def test_the_reason_names_the_nearest_rule_and_what_does_not_fit():
    rules = [
        {"recipes": ("other/*",), "scriptlets": ("link.*",)},
        {"recipes": ("recipes/*",), "hosts": ("leafs",)},
    ]
    case = PolicyCase("run", "recipes/a.yml", "disk.usage", "root", "spine1")
    assert reasons(*rules, case=case) == ["policy.yml:3: alice may not run recipes/a.yml with become on spine1"]
    assert reasons({"scriptlets": ("link.*",)}) == ["policy.yml:2: alice may not run disk.usage in recipes/a.yml"]
    case = PolicyCase("run", "recipes/a.yml", "disk.usage", "postgres", "leaf1")
    assert reasons({"become": ("nobody",)}, case=case) == [
        "policy.yml:2: alice may not run recipes/a.yml with become as postgres"
    ]


def test_the_reason_names_the_rule_that_forbids_it():
    rule = {"allows": False, "hosts": ("spine1",), "become": True}
    case = PolicyCase("run", "recipes/a.yml", "disk.usage", "root", "spine1")
    said = "policy.yml:3: alice may not run recipes/a.yml with become on spine1"
    assert reasons({"become": True}, rule, case=case) == [said]


def test_many_hosts_and_steps_have_one_reason():
    cases = [
        PolicyCase("run", "recipes/a.yml", f"disk.{name}", host=f"leaf{number}")
        for name in "ab"
        for number in range(10)
    ]
    found = refusal_reasons(policy({"hosts": ("spine1",)}), ALICE, cases, lambda pattern: GROUPS.get(pattern, ()))
    assert found == ["policy.yml:2: alice may not run recipes/a.yml on leaf0, leaf1, leaf2 and 7 more"]


def test_before_the_hosts_are_known_a_rule_about_some_may_allow_it():
    case = PolicyCase("run", "recipes/a.yml", "disk.usage")
    assert reasons({"hosts": ("leafs",)}, case=case, before=True) == []
    assert reasons({}, {"allows": False, "hosts": ("leafs",)}, case=case, before=True) == []
    assert reasons({"scriptlets": ("link.*",), "hosts": ("leafs",)}, case=case, before=True)


def test_a_recipe_is_where_it_really_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Neither a link to it nor a folder of one's own with the same names gets around a rule."""
    Path("recipes/linked.yml").symlink_to(Path("other/a.yml").resolve())
    rule = {"recipes": ("recipes/*",)}
    made = policy(rule)
    assert reasons(rule, case=PolicyCase("run", "recipes/linked.yml", "disk.usage"))
    Path("mine/recipes").mkdir(parents=True)
    Path("mine/recipes/a.yml").touch()
    monkeypatch.chdir("mine")
    assert refusal_reasons(made, ALICE, [PolicyCase("run", "recipes/a.yml", "disk.usage")])
    assert (
        refusal_reasons(made, ALICE, [PolicyCase("run", os.path.relpath(tmp_path / "recipes/a.yml"), "disk.usage")])
        == []
    )


def test_debugging_is_about_scriptlets():
    case = PolicyCase("debug", scriptlet="disk.usage", host="leaf1")
    assert reasons({"actions": ("debug",), "recipes": ("x",)}, case=case) == []
    assert reasons({"actions": ("debug",), "scriptlets": ("link.*",)}, case=case) == [
        "policy.yml:2: alice may not debug disk.usage"
    ]


@pytest.mark.parametrize(("store", "allowed"), [(None, False), (False, False), (True, True)])
def test_the_store_has_to_be_named(store: bool | None, allowed: bool):
    case = PolicyCase("delete", store=True)
    rule = {"actions": ("change", "delete"), "store": store}
    assert (reasons(rule, case=case) == []) is allowed
    assert reasons({"actions": ("change",), "store": True}, case=case) == [
        "policy.yml: alice may not delete the store: no rule says that they may"
    ]
    assert reasons({"actions": ("delete",)}, case=case) == ["policy.yml:2: alice may not delete the store"]
    assert reasons({"actions": ("delete",), "store": True}, {"actions": ("delete",), "allows": False}, case=case) == [
        "policy.yml:3: alice may not delete the store"
    ]
