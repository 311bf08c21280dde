# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.plugin_utils.compile.file import plan_of
from ansible_collections.rack.recipes.plugins.plugin_utils.compile.playbook import to_playbook
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.show import FORMATS, to_data
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.cli.commands import call, make_project


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)


@pytest.mark.parametrize("form", FORMATS)
def test_plan_in_all_formats(form: str):
    assert call("plan", "bad.yml", "--format", form) == (0, FORMATS[form](plan_of("bad.yml")), "")


def test_plan_is_a_tree_unless_json_is_asked_for():
    assert call("plan", "good.yml").out == FORMATS["tree"](plan_of("good.yml"))
    assert call("plan", "good.yml", "--json").answer == to_data(plan_of("good.yml"))
    assert call("run", "--dry-run", "good.yml").out == FORMATS["tree"](plan_of("good.yml"))
    assert call("run", "--dry-run", "--json", "good.yml").answer == to_data(plan_of("good.yml"))


def test_nothing_is_left_behind(project: Path):
    before = {*project.rglob("*")}
    for command in ("plan", "compile", "validate"):
        call(command, "good.yml")
    call("run", "--dry-run", "good.yml")
    call("scriptlets")
    assert {*project.rglob("*")} == before


def test_compile_prints_the_playbook():
    done = call("compile", "bad.yml")
    assert done == (0, to_playbook(plan_of("bad.yml")), "")
    assert call("compile", "bad.yml") == done
    assert yaml.safe_load(done.out)[0]["name"] == "Run BAD"


@pytest.mark.parametrize("command", ["plan", "compile", "run"])
def test_a_faulty_recipe_ends_with_2(command: str):
    done = call(command, "faulty.yml")
    assert (done.code, done.out) == (2, "")
    assert [line.partition(" ")[0] for line in done.err.splitlines()] == ["faulty.yml:1:95:", "faulty.yml:1:120:"]
    assert call(command, "faulty.yml", "--json").answer["reason"] == done.err.strip()


def test_validate_good_recipes():
    done = call("validate", "good.yml", "bad.yml")
    assert (done.code, done.err) == (0, "")
    assert done.answer == {"status": "ok", "recipes": 2, "problems": []}


def test_validate_tells_the_problems_of_all_recipes():
    done = call("validate", "faulty.yml", "good.yml", "absent.yml")
    assert done.code == 2
    assert done.answer["status"] == "error"
    assert done.answer["recipes"] == 3
    problems = done.answer["problems"]
    assert [(each["file"], each["line"], each["column"]) for each in problems] == [
        ("faulty.yml", 1, 95),
        ("faulty.yml", 1, 120),
        ("absent.yml", 1, 1),
    ]
    assert done.err.splitlines() == [each["text"] for each in problems]
    assert problems[1]["got"] == "'x'"
    assert {*problems[0]} == {"file", "line", "column", "expected", "got", "near", "text"}


def test_validate_tells_what_is_wrong_around_a_recipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_SLOTS", "0")
    done = call("validate", "good.yml")
    assert done.code == 2
    [problem] = done.answer["problems"]
    assert (problem["file"], problem["line"]) == ("good.yml", 1)
    assert problem["text"].startswith("RACK_RECIPES_SLOTS")


def test_scriptlets_as_a_table(project: Path):
    (project / "scriptlets/t/args.sh").write_text("#!/bin/sh\n")
    (project / "scriptlets/t/args.yml").write_text("description: Takes\noptions: {a: {required: true}, b: {}}\n")
    done = call("scriptlets")
    assert (done.code, done.err) == (0, "")
    titles, *lines = done.out.splitlines()
    assert titles.split() == ["module", "type", "from", "arguments", "what", "it", "does"]
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["t.args"] == ["t.args", "shell", "project", "a", "[b]", "Takes"]
    assert rows["t.ok"] == ["t.ok", "shell", "project", "any", "Says", "ok"]
    assert rows["rack.recipes.numbers_stats"][1:4] == ["python", "collection", "src"]


def test_scriptlets_as_json():
    found = {each["name"]: each for each in call("scriptlets", "--json").answer["scriptlets"]}
    assert found["t.ok"] | {"path": "", "digest": ""} == {
        "name": "t.ok",
        "type": "shell",
        "function": "",
        "description": "Says ok",
        "options": None,
        "reads": None,
        "writes": [],
        "source": "project",
        "path": "",
        "digest": "",
    }
    assert Path(found["t.ok"]["path"]).is_file()
    assert found["rack.recipes.numbers_stats"]["reads"] == []
    assert found["rack.recipes.numbers_stats"]["options"]["src"]["required"] is True


def test_scriptlets_that_cannot_be_read_are_told(project: Path):
    (project / "scriptlets/broken.py").write_text("class Broken(Scriptlet:\n")
    for arguments in (["scriptlets"], ["scriptlets", "--json"]):
        done = call(*arguments)
        assert done.code == 0
        assert done.err.startswith("left out: scriptlets/broken.py:1:")
