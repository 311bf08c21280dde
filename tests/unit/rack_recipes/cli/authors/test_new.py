# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cli.authors.new import SCRIPTLETS, TEMPLATES

PLUGIN = "rack_recipes.programs.pytest_plugin.plugin"
SUFFIXES = {"python": [".py"], "shell": [".sh", ".yml"], "awk": [".awk", ".yml"], "c": [".c", ".yml"]}


def run_pytest(*files: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:rack_recipes",
        "-p",
        PLUGIN,
        "-p",
        "no:cacheprovider",
        "-q",
        *files,
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", SCRIPTLETS)
def test_a_scriptlet_runs_as_it_stands(kind: str, project: Path):
    done = call("new", "scriptlet", "link.rx_errors", "--type", kind)
    files = [f"scriptlets/link/rx_errors{suffix}" for suffix in SUFFIXES[kind]] + ["tests/test_link_rx_errors.py"]
    assert (done.code, done.answer) == (0, {"status": "ok", "files": files})
    told = [f"made {file}" for file in files]
    hints = ["try it:", "  rack-recipes debug link.rx_errors", "  pytest tests/test_link_rx_errors.py"]
    assert done.err.splitlines() == told + hints
    assert not [file for file in files if "@" in (project / file).read_text().replace("@pytest", "")]
    tried = call("debug", "link.rx_errors")
    assert (tried.code, tried.answer["verdict"]) == (0, "passed")
    assert [*tried.answer["outputs"]] == ["link.rx_errors_v1"]
    assert [one["verdict"] for one in tried.answer["measurements"]] == ["passed"]
    limit = "max_load" if kind == "awk" else "max_percent"
    failed = call("debug", "link.rx_errors", "--arg", f"{limit}=-1")
    assert (failed.code, failed.answer["verdict"]) == (1, "failed")
    assert "link.rx_errors" in call("scriptlets").out
    compile((project / "tests/test_link_rx_errors.py").read_text(), "test", "exec")


def test_tests_pass_as_they_stand_whatever_the_inventory_holds(project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "inventory.yml").write_text("all: {vars: {ansible_host: 192.0.2.1}, hosts: {r01: , r02: , r03: }}")
    monkeypatch.setenv("ANSIBLE_INVENTORY", "inventory.yml")
    call("new", "scriptlet", "probe")
    call("new", "scriptlet", "load", "--type", "awk")
    call("new", "recipe", "burn_in")
    assert "8 passed" in run_pytest("tests")


def test_it_goes_into_the_first_trusted_folder(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_SCRIPTLETS", "lab/steps:scriptlets")
    done = call("new", "scriptlet", "a.b")
    assert done.answer["files"] == ["lab/steps/a/b.py", "tests/test_a_b.py"]
    assert call("debug", "a.b").code == 0
    run_pytest("tests/test_a_b.py", "-k", "rack_context or passes or fails")


def test_a_recipe_is_valid(project: Path):
    done = call("new", "recipe", "lab.burn_in")
    assert done.answer["files"] == ["recipes/lab/burn_in.yml", "tests/test_lab_burn_in.py"]
    assert done.err.endswith(
        "try it:\n  rack-recipes run recipes/lab/burn_in.yml\n  pytest tests/test_lab_burn_in.py\n"
    )
    assert call("validate", "recipes/lab/burn_in.yml").code == 0
    assert call("plan", "recipes/lab/burn_in.yml", "--json").code == 0


def test_a_project_runs_as_it_stands(project: Path, monkeypatch: pytest.MonkeyPatch):
    done = call("new", "project", "lab")
    assert done.code == 0
    assert {*done.answer["files"]} == {
        f"lab/{name}"
        for name in (
            *("ansible.cfg", ".gitignore", "inventory.yml", "run.yml", "pytest.ini"),
            *("recipes/first.yml", "tests/test_first.py"),
        )
    }
    monkeypatch.chdir(project / "lab")
    assert call("run", "recipes/first.yml").code == 0
    assert call("new", "scriptlet", "probe").code == 0


@pytest.mark.parametrize(("folder", "enter"), [(".", []), ("my lab", ["cd 'my lab'"])])
def test_the_way_into_the_project_is_told(
    folder: str, enter: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    told = [line.strip() for line in call("new", "project", folder).err.splitlines()]
    assert told[told.index("try it:") + 1 :] == [*enter, "rack-recipes run recipes/first.yml"]


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (["scriptlet", "a.b"], "scriptlets/a/b.py"),
        (["scriptlet", "a.b", "--type", "shell"], "scriptlets/a/b.yml"),
        (["recipe", "burn"], "tests/test_burn.py"),
        (["project", "."], "ansible.cfg"),
    ],
)
def test_nothing_is_overwritten(words: list[str], there: str, project: Path):
    (project / there).parent.mkdir(parents=True, exist_ok=True)
    (project / there).write_text("mine")
    before = {*project.rglob("*")}
    done = call("new", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"{there}: there already, so nothing was written\n"
    assert {*project.rglob("*")} == before
    assert (project / there).read_text() == "mine"


@pytest.mark.parametrize("name", ["Foo", "a-b", "a..b", ".a", "a.", "1a", "../a", "a/b", "", "ü"])
@pytest.mark.parametrize("command", ["scriptlet", "recipe"])
def test_a_name_that_is_none(command: str, name: str, project: Path):
    done = call("new", command, name)
    assert done.code == 2
    assert done.err.startswith("expected a name of lower-case letters, digits, _ and dots, such as ")


@pytest.mark.parametrize(
    ("name", "word"), [("import", "import"), ("class.def", "class"), ("link.with", "with"), ("none", "None")]
)
def test_a_name_that_python_cannot_import(name: str, word: str, project: Path):
    before = {*project.rglob("*")}
    done = call("new", "scriptlet", name)
    assert done.code == 2
    assert done.err == (f"expected a name that Python can import, got {name!r}: {word!r} is a word of Python's own\n")
    assert {*project.rglob("*")} == before


@pytest.mark.parametrize("kind", SCRIPTLETS)
def test_a_name_that_is_looked_up_in_the_collection(kind: str, project: Path):
    before = {*project.rglob("*")}
    done = call("new", "scriptlet", "rack.recipes.x", "--type", kind)
    assert done.code == 2
    assert done.err == (
        "expected a name without rack.recipes., such as x, got 'rack.recipes.x': "
        "what begins with rack.recipes. is looked up in the collection, not in the project\n"
    )
    assert {*project.rglob("*")} == before


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("a", "a.b", "scriptlets/a/b.py: scriptlets/a.py would hide it from Python: rename one of them\n"),
        ("a.b", "a", "scriptlets/a.py: it would hide the folder scriptlets/a from Python: rename one of them\n"),
    ],
)
def test_no_python_file_hides_another(first: str, second: str, text: str, project: Path):
    assert call("new", "scriptlet", first).code == 0
    before = {*project.rglob("*")}
    done = call("new", "scriptlet", second)
    assert (done.code, done.err) == (2, text)
    assert {*project.rglob("*")} == before


@pytest.mark.parametrize(("first", "second"), [("a", "a.b"), ("a.b", "a")])
@pytest.mark.parametrize(("one", "other"), [("python", "shell"), ("shell", "python"), ("shell", "awk")])
def test_what_is_no_python_hides_nothing(first: str, second: str, one: str, other: str, project: Path):
    assert call("new", "scriptlet", first, "--type", one).code == 0
    assert call("new", "scriptlet", second, "--type", other).code == 0
    assert [call("debug", name).code for name in (first, second)] == [0, 0]


def test_what_python_does_not_import_may_have_any_name(project: Path):
    assert call("new", "scriptlet", "disk.with", "--type", "shell").code == 0
    assert call("debug", "disk.with").code == 0


def test_all_templates_are_used(project: Path):
    from rack_recipes.cli.authors.new import PROJECT, RECIPE

    used = {name for files in (*SCRIPTLETS.values(), RECIPE, PROJECT) for name in files.values()}
    assert used == {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.in")}
