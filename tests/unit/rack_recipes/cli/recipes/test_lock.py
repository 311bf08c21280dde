# SPDX-License-Identifier: GPL-3.0-or-later

"""The command lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project

LOCK = Path("rack-recipes.lock")


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)


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
    assert (done.code, done.out) == (2, "")
    assert "there is no rack-recipes.lock in " in done.err  # Ansible, loaded first here, may warn before
    call("lock", "good.yml")
    with Path("scriptlets/t/ok.sh").open("a") as file:
        file.write("true\n")
    done = call(*command)
    assert (done.code, done.out) == (2, "")
    assert "scriptlet t.ok (shell) has changed: scriptlets/t/ok.sh" in done.err
    assert not Path(".rack-recipes/runs").exists()
