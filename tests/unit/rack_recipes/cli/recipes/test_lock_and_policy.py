# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands lock and policy."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call

pytestmark = pytest.mark.usefixtures("lab")
LOCK = Path("rack-recipes.lock")


def test_recipes_are_locked_and_told():
    done = call("lock", "good.yml", "bad.yml")
    assert (done.code, done.answer["recipes"]) == (0, 2)
    assert [one["name"] for one in done.answer["differences"]] == [
        "bad.yml",
        "good.yml",
        "t.fail (shell)",
        "t.ok (shell)",
    ]
    assert done.err == "locked 2 recipes, 2 scriptlets and 0 modules of Ansible\n"
    assert sorted(json.loads(LOCK.read_text())["recipes"]) == ["bad.yml", "good.yml"]
    Path("third.yml").write_text(Path("good.yml").read_text())
    assert call("lock", "third.yml").err == "recipe third.yml is not locked\n"


def test_those_that_are_locked_stay_locked():
    call("lock", "good.yml")
    assert call("lock", "bad.yml").answer["recipes"] == 2
    first = LOCK.read_bytes()
    assert call("lock").answer == {"status": "ok", "recipes": 2, "differences": []}
    assert LOCK.read_bytes() == first


def test_one_that_is_gone_is_left_out():
    call("lock", "good.yml", "bad.yml")
    Path("bad.yml").unlink()
    done = call("lock", "--check")
    assert done.code == 1
    assert done.err.splitlines() == [
        "recipe bad.yml is locked, and not here any more",
        "scriptlet t.fail (shell) is locked, and not here any more",
    ]
    assert call("lock").code == 0
    assert sorted(json.loads(LOCK.read_text())["recipes"]) == ["good.yml"]


def test_check_tells_what_differs_and_writes_nothing():
    call("lock", "good.yml")
    before = LOCK.read_bytes()
    assert call("lock", "--check") == (0, '{"status": "ok", "recipes": 1, "differences": []}\n', "")
    with Path("scriptlets/t/ok.sh").open("a") as file:
        file.write("true\n")
    done = call("lock", "--check", "--json", "bad.yml")
    assert done.code == 1
    assert done.answer["status"] == "error"
    assert done.answer["differences"] == [
        {"kind": "recipe", "name": "bad.yml", "how": "new", "detail": ""},
        {"kind": "scriptlet", "name": "t.fail (shell)", "how": "new", "detail": ""},
        {"kind": "scriptlet", "name": "t.ok (shell)", "how": "changed", "detail": "scriptlets/t/ok.sh"},
    ]
    assert LOCK.read_bytes() == before


def test_nothing_to_lock():
    done = call("lock")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("rack-recipes lock: expected RECIPE, such as recipes/numbers.yml")
    done = call("lock", "--check")
    assert done.code == 2
    assert done.err.startswith("there is no rack-recipes.lock in ")


def test_a_recipe_that_is_wrong_is_not_locked():
    done = call("lock", "faulty.yml", "good.yml")
    assert done.code == 2
    assert done.err.startswith("faulty.yml:1:")
    assert not LOCK.exists()
    assert call("lock", "absent.yml").code == 2


def test_who_may_lock(monkeypatch: pytest.MonkeyPatch):
    Path("policy.yml").write_text("rules: [{users: ['*'], may: [change], recipes: [good.yml]}]")
    monkeypatch.setenv("RACK_RECIPES_POLICY", "policy.yml")
    assert call("lock", "good.yml").code == 0
    done = call("lock", "bad.yml")
    assert done.code == 2
    assert done.err.startswith("policy.yml:1: ")
    assert done.err.endswith(" may not change bad.yml\n")
    assert call("lock", "--check").code == 0


@pytest.mark.parametrize("command", [("run", "good.yml", "--locked"), ("run", "good.yml", "--locked", "--dry-run")])
def test_a_locked_run_is_refused_before_anything_is_run(command: tuple[str, ...]):
    done = call(*command)
    assert (done.code, done.answer["exit_code"]) == (2, 2)
    assert "there is no rack-recipes.lock in " in done.err  # Ansible, loaded first here, may warn before
    call("lock", "good.yml")
    with Path("scriptlets/t/ok.sh").open("a") as file:
        file.write("true\n")
    done = call(*command)
    assert (done.code, done.answer["exit_code"]) == (2, 2)
    assert "scriptlet t.ok (shell) has changed: scriptlets/t/ok.sh" in done.err
    assert not Path(".rack-recipes/runs").exists()


ME = pwd.getpwuid(os.getuid()).pw_name
RULES = f"""\
rules:
  - {{users: [{ME}], may: [run, debug], recipes: ['*.yml'], scriptlets: ['t.*'], hosts: [localhost], become: [nobody]}}
  - {{users: ['*'], may_not: [delete]}}
  - {{users: [somebody else], may: [change], become: true, store: true}}
"""


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
    assert done.code == 2
    assert bool(done.out) == (words[0] == "run")  # programs read what `run` says
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
