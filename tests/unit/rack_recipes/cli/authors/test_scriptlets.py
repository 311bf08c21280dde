# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, make_project


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)


def test_as_a_table(project: Path):
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


def test_several_in_one_file_are_told_apart(project: Path):
    classes = "".join(f'class {name}(Scriptlet):\n    """{name} it."""\n' for name in ("Look", "Mark"))
    (project / "scriptlets/two.py").write_text(f"from rack_recipes import Scriptlet\n{classes}")
    lines = [line.split() for line in call("scriptlets").out.splitlines() if line.startswith("two ")]
    assert [(line[1], line[-2:]) for line in lines] == [("Look", ["Look", "it."]), ("Mark", ["Mark", "it."])]


def test_as_json():
    found = {each["name"]: each for each in call("scriptlets", "--json").answer["scriptlets"]}
    assert found["t.ok"] | {"path": "", "digest": ""} == {
        "name": "t.ok",
        "type": "shell",
        "function": "",
        "description": "Says ok",
        "options": None,
        "reads": [],
        "writes": ["t.ok_v1"],
        "deprecated": "",
        "source": "project",
        "path": "",
        "digest": "",
    }
    assert Path(found["t.ok"]["path"]).is_file()
    assert found["rack.recipes.numbers_stats"]["reads"] == []
    assert found["rack.recipes.numbers_stats"]["options"]["src"]["required"] is True


def test_those_that_should_not_be_used_any_more_say_so(project: Path):
    (project / "scriptlets/old.py").write_text(
        "from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet\n\n\n"
        'class Old(Scriptlet):\n    """Counts."""\n\n    deprecated = "use t.new"\n'
    )
    [line] = [line for line in call("scriptlets").out.splitlines() if line.startswith("old ")]
    assert line.endswith("deprecated: use t.new. Counts.")
    found = {each["name"]: each for each in call("scriptlets", "--json").answer["scriptlets"]}
    assert found["old"]["deprecated"] == "use t.new"


def test_those_that_cannot_be_read_are_told(project: Path):
    (project / "scriptlets/broken.py").write_text("class Broken(Scriptlet:\n")
    for arguments in (["scriptlets"], ["scriptlets", "--json"]):
        done = call(*arguments)
        assert done.code == 0
        assert done.err.startswith("left out: scriptlets/broken.py:1:")


def test_those_that_no_recipe_can_use_are_told(project: Path):
    for name, beside in (("x.sh", False), ("größe.sh", True), ("noexec", True)):
        path = project / "scriptlets" / name
        path.write_text("#!/bin/sh\n" if path.suffix else "\x7fELF")
        if beside:
            path.with_suffix(".yml").write_text("description: Says\n")
    done = call("scriptlets")
    assert [line.partition(" ")[0] for line in done.err.splitlines()] == ["left"] * 3
    for text in ("noexec is not executable: chmod +x ", "x.sh has no x.yml beside it", "got 'größe'"):
        assert text in done.err
