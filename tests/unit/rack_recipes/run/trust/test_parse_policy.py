# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy file: what it may say, what is wrong with it and where, and who may have written it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rack_recipes.errors import Place, TrustError
from rack_recipes.run.trust.policy import Policy, Rule
from rack_recipes.run.trust.read_policy_file import read_policy

pytestmark = pytest.mark.usefixtures("own_folder")

GOOD = """\
rules:
  - users: [alice]
    groups: [net*]
    may: [run, debug]
    recipes: [recipes/*.yml]
    scriptlets: [disk.*]
    hosts: [leafs]
    become: [nobody]
  - {users: ['*'], may_not: [delete], store: true}
"""
KEYS = "rules: [{{users: [alice], {}}}]"


def write(text: str, mode: int = 0o644) -> str:
    Path("policy.yml").write_text(text)
    Path("policy.yml").chmod(mode)
    return "policy.yml"


def refusal(text: str, mode: int = 0o644) -> str:
    with pytest.raises(TrustError) as caught:
        read_policy(write(text, mode))
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_all_that_a_rule_can_say(tmp_path: Path):
    first = Rule(
        place=Place("policy.yml", 2, 5),
        allows=True,
        actions=("run", "debug"),
        users=("alice",),
        groups=("net*",),
        recipes=("recipes/*.yml",),
        scriptlets=("disk.*",),
        hosts=("leafs",),
        become=("nobody",),
    )
    second = Rule(Place("policy.yml", 9, 5), allows=False, actions=("delete",), users=("*",), store=True)
    assert read_policy(write(GOOD)) == Policy("policy.yml", tmp_path.resolve(), (first, second))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "policy.yml:1:1: expected a mapping with rules, got an empty file"),
        ("- a", "policy.yml:1:1: expected a mapping with rules, got a list"),
        ("rules", "policy.yml:1:1: expected a mapping with rules, got 'rules'"),
        ("rulez: []", "policy.yml:1:1: expected one of rules, got 'rulez' (did you mean 'rules'?)"),
        ("rules: {}", "policy.yml:1:8: expected a list of rules, got an empty mapping"),
        ("rules: [a]", "policy.yml:1:9: expected a rule, such as {users: [alice], may: [run]}, got 'a'"),
        ("rules: [{users: [a], may: [run], host: [a]}]", "policy.yml:1:34: expected one of users, groups, may,"),
        ("rules: [{users: [a], may: [run], host: [a]}]", "got 'host' (did you mean 'hosts'?)"),
        ("rules: [{users: a, may: [run]}]", ":1:17: expected a list of texts, each of which may have * in it, got 'a'"),
        ("rules: [{users: [], may: [run]}]", ":1:17: expected a list of texts"),
        ("rules: [{users: [1], may: [run]}]", ":1:18: expected text, got the number 1"),
        (
            "rules: [{users: [a], may: run}]",
            ":1:27: expected a list of run, debug, change, delete, waive, read, write",
        ),
        ("rules: [{users: [a], may: [runn]}]", "got 'runn' (did you mean 'run'?)"),
        (
            "rules: [{users: [a], may: [1]}]",
            ":1:28: expected one of run, debug, change, delete, waive, read, write",
        ),
        ("rules: [{users: [a]}]", ":1:9: expected either may or may_not in a rule, got neither"),
        ("rules: [{users: [a], may: [run], may_not: [run]}]", "expected either may or may_not in a rule, got both"),
        ("rules: [{may: [run]}]", ":1:9: expected users or groups in a rule (['*'] is everybody), got neither"),
        (
            "rules: [{users: [a], may: [run], become: root}]",
            ":1:42: expected true, false, or a list of users, got 'root'",
        ),
        ("rules: [{users: [a], may: [run], become: [1]}]", ":1:43: expected text, got the number 1"),
        ("rules: [{users: [a], may: [run], store: 1}]", ":1:41: expected true or false, got the number 1"),
        ("rules: [", "policy.yml:2:1: expected a value, got the end of the file"),
        ("rules: !!python/object:os.system x", "expected a value without a tag"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str):
    assert said in refusal(text)


def test_all_that_is_wrong_is_told():
    assert len(refusal("rules: [{users: a, may: [runn], store: 7}, 3]").splitlines()) == 4


def test_a_file_that_is_not_there():
    with pytest.raises(TrustError) as caught:
        read_policy("absent.yml")
    assert str(caught.value) == "absent.yml: cannot be read: No such file or directory"
    Path("folder").mkdir()
    with pytest.raises(TrustError, match="folder: cannot be read: Is a directory"):
        read_policy("folder")


def test_a_file_that_everyone_can_write():
    said = "policy.yml is not trusted: everyone can write to it (chmod o-w policy.yml)"
    assert refusal(GOOD, 0o646) == said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_a_file_of_somebody_else_s():
    os.chown(write(GOOD), 54_321, 0)
    with pytest.raises(TrustError) as caught:
        read_policy("policy.yml")
    assert str(caught.value) == "policy.yml is not trusted: it belongs to 54321, not to root"
    os.chown("policy.yml", 0, 54_321)
    assert "everyone in the group 54321 can write to it (chmod g-w policy.yml)" in refusal(GOOD, 0o664)


def test_a_rule_about_keys():
    rule = read_policy(write(KEYS.format("may: [read, write], keys: ['power.*']"))).rules[0]
    assert (rule.actions, rule.keys, rule.hosts) == (("read", "write"), ("power.*",), None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("may: [run], keys: ['power.*']", "may: [read, write] in a rule with keys"),
        ("may: [read], hosts: [leafs]", "only users, groups and keys in a rule with read or write"),
        ("may: [read, run]", "read and write in a rule of their own"),
        ("may: [read], keys: power", "a list of texts"),
    ],
)
def test_a_rule_is_about_keys_or_about_runs(said, expected):
    assert expected in refusal(KEYS.format(said))
