# SPDX-License-Identifier: GPL-3.0-or-later

"""The command policy, and what a policy refuses to the commands."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project

ME = pwd.getpwuid(os.getuid()).pw_name
RULES = f"""\
rules:
  - {{users: [{ME}], may: [run, debug], recipes: ['*.yml'], scriptlets: ['t.*'], hosts: [localhost], become: [nobody]}}
  - {{users: ['*'], may_not: [delete]}}
  - {{users: [somebody else], may: [change], become: true, store: true}}
"""


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)


def in_force(text: str) -> None:
    Path("policy.yml").write_text(text)
    with Path("ansible.cfg").open("a") as file:
        file.write("[rack_recipes]\npolicy = policy.yml\n")


def test_without_a_policy_everything_is_allowed():
    assert call("policy") == (0, "no policy is set: everybody may do everything\n", "")
    answer = call("policy", "--json").answer
    assert (answer["user"], answer["policy"], answer["rules"]) == (ME, None, [])


def test_the_rules_that_are_about_this_user():
    in_force(RULES)
    lines = call("policy").out.splitlines()
    assert [line.split() for line in lines] == [
        ["line", "rule", "recipes", "scriptlets", "hosts", "keys", "become", "store"],
        ["2", "may", "run,", "debug", "*.yml", "t.*", "localhost", "nobody"],
        ["3", "may", "not", "delete", "any", "any", "any", "any", "any"],
    ]
    assert call("policy", "--json").answer["rules"] == [
        {
            "line": 2,
            "may": ["run", "debug"],
            "recipes": ["*.yml"],
            "scriptlets": ["t.*"],
            "hosts": ["localhost"],
            "become": ["nobody"],
        },
        {"line": 3, "may_not": ["delete"]},
    ]


def test_another_user():
    in_force("rules: [{users: [root], may: [change], become: true, store: true}]")
    assert call("policy", "--user", "root").out.splitlines()[1].split() == [
        "1",
        "may",
        "change",
        "any",
        "any",
        "any",
        "yes",
        "yes",
    ]
    assert call("policy", "--user", "daemon").out == "policy.yml: no rule is about daemon, who may do nothing here\n"
    assert call("policy", "--user", "nobody at all").code == 2


def test_a_policy_that_is_wrong():
    in_force("rules: [{users: [a], may: [runn]}]")
    done = call("policy")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("policy.yml:1:28: expected one of run, debug, change, delete, waive, read, write")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "good.yml"), "run good.yml"),
        (("run", "good.yml", "--dry-run"), "run good.yml"),
        (("debug", "t.ok"), "debug t.ok"),
        (("debug", "t.ok", "--host", "h1"), "debug t.ok"),
        (("db", "upgrade"), "change the store"),
        (("pin", "R"), "change the store"),
        (("baseline", "accept", "R"), "change the store"),
        (("baseline", "withdraw", "R"), "change the store"),
        (("prune", "--keep", "1", "--yes"), "delete the store"),
        (("lock", "good.yml"), "change good.yml"),
    ],
)
def test_what_no_rule_allows_is_refused_with_the_reason(words: tuple[str, ...], said: str):
    in_force("rules: []")
    done = call(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"policy.yml: {ME} may not {said}: no rule says that they may\n"


def test_looking_is_free():
    in_force("rules: []")
    assert [
        call(*words).code for words in (("plan", "good.yml"), ("compile", "good.yml"), ("validate", "good.yml"))
    ] == [0, 0, 0]


def test_what_a_rule_allows_is_done():
    in_force(RULES)
    done = call("debug", "t.ok")
    assert (done.code, done.answer["verdict"]) == (0, "passed")
    assert call("debug", "disk.usage").err.startswith(f"policy.yml:2: {ME} may not debug disk.usage\n")
    assert call("run", "good.yml", "--dry-run").code == 0
