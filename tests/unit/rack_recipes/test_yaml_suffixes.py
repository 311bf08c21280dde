# SPDX-License-Identifier: GPL-3.0-or-later

"""Every YAML file that a user writes may end in .yml or .yaml; two that differ in that alone are an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cli.shell.completion_candidates import candidates
from rack_recipes.errors import UsageError
from rack_recipes.report.tables.host_table import COLUMNS_FILE, with_own_columns
from rack_recipes.yaml_suffixes import SUFFIXES

RECIPE = """\
test_meta: {test_id: T-1, description: One}
steps:
  - {name: one, type: shell, module: disk.usage, success: none}
"""
ENDINGS = [pytest.param(suffix, id=suffix) for suffix in SUFFIXES]
OTHER = dict(zip(SUFFIXES, reversed(SUFFIXES), strict=True))
WAIVER = "waivers:\n  - {step: one, reason: RMA 1, who: alice, until: 2099-12-31}\n"
LIMITS = "limits:\n  - {step: one, measurement: m, max: 1}\n"
SIDECAR = "description: It says so\noptions: {}\nreads: []\nwrites: []\n"
ROLE = "argument_specs: {main: {short_description: Burn it}}\n"
STEP = {"name": "say", "type": "shell", "module": "own.say", "success": "none"}
# a file without its suffix, its text, and the command that reads it
KINDS = {
    "recipe": ("recipes/a", RECIPE, "validate a"),
    "recipe in a folder": ("recipes/day/a", RECIPE, "validate day.a"),
    "recipe of the proposal": ("orchestrator/recipes/a", RECIPE, "validate a"),
    "recipe by its path": ("recipes/a", RECIPE, "validate recipes/a{}"),
    "part": ("parts/a", RECIPE, "validate part{}.json"),
    "limits": ("limits/a", LIMITS, "validate limits{}.json"),
    "sidecar": ("scriptlets/own/say", SIDECAR, "debug own.say"),
    "sidecar of a step": ("scriptlets/own/say", SIDECAR, "plan says.json"),
    "waivers": ("waivers", WAIVER, "waivers list --json"),
    "waivers by the setting": ("ops/mine", WAIVER, "waivers check"),
    "cabling plan": ("cabling", "- {a: 'l1:e1', b: 's1:e1'}\n", "cabling import cabling.yml -o plan.yml"),
    "recipe for AWX": ("recipes/a", RECIPE, "awx recipes/a{}"),
    "recipe to lock": ("recipes/a", RECIPE, "lock a"),
}


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    says = {"test_meta": {"test_id": "S"}, "steps": [STEP]}
    write("says.json", json.dumps(says))
    for suffix in SUFFIXES:
        included = {"name": "in", "include": f"parts/a{suffix}"}
        write(f"part{suffix}.json", json.dumps({**says, "steps": [included]}))
        step = {**STEP, "module": "disk.usage"}
        write(f"limits{suffix}.json", json.dumps({**says, "limits": f"limits/a{suffix}", "steps": [step]}))
    write("scriptlets/own/say.sh", '#!/bin/sh\necho \'{"status": "ok", "outputs": {}}\'\n')


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def command(kind: str, suffix: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    stem, _text, words = KINDS[kind]
    if kind == "waivers by the setting":
        monkeypatch.setenv("RACK_RECIPES_WAIVERS", stem + suffix)
    return words.format(suffix).split()


@pytest.mark.parametrize("suffix", ENDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_found_with_either_suffix(kind: str, suffix: str, monkeypatch: pytest.MonkeyPatch):
    write(KINDS[kind][0] + suffix, KINDS[kind][1])
    done = call(*command(kind, suffix, monkeypatch))
    assert done.code == 0, done.err


@pytest.mark.parametrize("kind", KINDS)
def test_two_files_that_differ_in_the_suffix_alone_are_named(kind: str, monkeypatch: pytest.MonkeyPatch):
    stem, text, _words = KINDS[kind]
    for suffix in SUFFIXES:
        write(stem + suffix, text)
    done = call(*command(kind, SUFFIXES[0], monkeypatch))
    name = Path(stem).name
    assert f"{name}.yml and {name}.yaml, which differ in the suffix alone: rename one\n" in done.err
    assert done.code == 2


@pytest.mark.parametrize("suffix", ENDINGS)
def test_the_gallery_has_recipes_and_roles(suffix: str):
    write(f"recipes/a{suffix}", RECIPE)
    write(f"orchestrator/recipes/old{suffix}", RECIPE)
    write(f"roles/burn/meta/argument_specs{suffix}", ROLE)
    for name in (f"recipes/a{suffix}", f"orchestrator/recipes/old{suffix}", "burn"):
        assert name in call("scriptlets", name).out, name
    found = call("scriptlets", "a", "--json").answer["found"]
    assert found[0]["name"] == f"recipes/a{suffix}", "its name without folder and suffix is its name"
    for stem, text in (("recipes/a", RECIPE), ("roles/burn/meta/argument_specs", ROLE)):
        write(stem + OTHER[suffix], text)
        name = Path(stem).name
        assert f"got {name}.yml and {name}.yaml, which differ in" in call("scriptlets", "steps.check_value").err


@pytest.mark.parametrize("suffix", ENDINGS)
def test_nothing_new_is_written_beside_the_same_with_the_other_suffix(suffix: str):
    write(f"recipes/a{suffix}", RECIPE)
    assert f"recipes/a{suffix}: there already" in call("new", "recipe", "a").err
    write(f"limits/a{suffix}", LIMITS)
    assert f"limits/a{suffix} is there already" in call("learn", "last", "--to", f"limits/a{OTHER[suffix]}").err
    write(f"waivers{suffix}", WAIVER)
    assert call("waivers", "add", "two", "--hosts", "all", "--reason", "x", "--passes", "1").code == 0
    assert "two" in Path(f"waivers{suffix}").read_text()
    write(f"cabling{suffix}", "- {a: 'l1:e1', b: 's1:e1'}\n")
    write("links.csv", "StartDevice,StartPort,EndDevice,EndPort\nl1,e1,s1,e1\n")
    assert f"cabling{suffix}  written" in call("cabling", "import", "links.csv", "--overwrite").out


@pytest.mark.parametrize("suffix", ENDINGS)
def test_the_lock_has_the_sidecar(suffix: str):
    write(f"scriptlets/own/say{suffix}", SIDECAR)
    assert call("lock", "says.json").code == 0
    assert f"scriptlets/own/say{suffix}" in Path("rack-recipes.lock").read_text()
    write(f"scriptlets/own/say{suffix}", SIDECAR.replace("says", "said"))
    assert f"has changed: scriptlets/own/say{suffix}" in call("lock", "--check").err


@pytest.mark.parametrize("suffix", ENDINGS)
@pytest.mark.parametrize("folder", ["recipes", "orchestrator/recipes"])
def test_the_steps_of_a_recipe_are_completed_by_its_name(folder: str, suffix: str):
    write(f"{folder}/a{suffix}", RECIPE)
    assert candidates(["run", "a", "--only", ""]) == ["words", "one"]


def test_the_own_folder_comes_before_that_of_the_proposal():
    write("recipes/a.yaml", RECIPE)
    write("orchestrator/recipes/a.yml", "broken: [")
    assert call("validate", "a").code == 0
    assert "(did you mean 'orchestrator/recipes/b.yml'?)" not in call("validate", "bb").err
    write("orchestrator/recipes/bells.yaml", RECIPE)
    assert "(did you mean 'orchestrator/recipes/bells.yaml'?)" in call("validate", "bels").err


@pytest.mark.parametrize("suffix", ENDINGS)
def test_the_columns_of_a_report(suffix: str, tmp_path: Path):
    write(Path(COLUMNS_FILE).stem + suffix, "nothing: []\n")
    with pytest.raises(UsageError, match="there is no table 'nothing'"):
        with_own_columns((), str(tmp_path))
    write(Path(COLUMNS_FILE).stem + OTHER[suffix], "nothing: []\n")
    with pytest.raises(UsageError, match=r"columns\.yml and columns\.yaml"):
        with_own_columns((), str(tmp_path))
