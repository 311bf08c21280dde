# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.collection_path import COLLECTION
from rack_recipes.recipe.load import load
from rack_recipes.recipe.recipe_names import nearest_recipe, resolve, shipped_names

pytestmark = pytest.mark.usefixtures("own_folder")

RECIPE = "test_meta: {test_id: T-1}\nsteps:\n  - {name: one, module: steps.check_value, success: none}\n"


def write(path: str, text: str = RECIPE) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return path


@pytest.mark.parametrize("word", ["rack.recipes.host_health", "host_health"])
def test_a_shipped_recipe_has_a_name(word: str) -> None:
    assert resolve(word) == "rack.recipes.host_health"
    loaded = load(word)
    assert (loaded.path, loaded.test_meta.test_id) == ("rack.recipes.host_health", "HEALTH-001")
    assert {*loaded.files} == {"rack.recipes.host_health"}


def test_each_shipped_recipe_can_be_loaded_by_its_name() -> None:
    names = [*shipped_names()]
    assert len(names) == len([*(COLLECTION / "recipes").glob("*.yml")])
    for name in names:
        loaded = load(name)
        assert loaded.path == name
        assert all(file.startswith("rack.recipes.") for file in loaded.files), "no path of this machine"


def test_the_project_comes_first_but_not_before_the_whole_name() -> None:
    write("recipes/host_health.yml")
    assert resolve("host_health") == "recipes/host_health.yml"
    assert resolve("rack.recipes.host_health") == "rack.recipes.host_health"
    write("recipes/day/one.yml")
    assert resolve("day.one") == "recipes/day/one.yml"


@pytest.mark.parametrize(
    "word", ["nothing_of_this_name", "rack.recipes.nothing", "./host_health", "recipes/numbers.yml", ""]
)
def test_other_words_are_paths(word: str) -> None:
    assert resolve(word) == word


def test_a_file_of_that_path_comes_before_all_names() -> None:
    assert resolve(write("host_health")) == "host_health"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("recipes/host_health.yml", "rack.recipes.host_health"),
        ("host_helth", "rack.recipes.host_health"),
        ("rack.recipes.host_helth", "rack.recipes.host_health"),
        ("recipes/burn_inn.yml", "recipes/burn_in.yml"),
        ("burn_in.yml", "recipes/burn_in.yml"),
        ("nope.yml", ""),
        ("recipes", ""),
    ],
)
def test_what_was_meant_is_a_recipe_and_never_another_file(word: str, meant: str) -> None:
    """A file beside recipes may hold passwords: nobody is told to run it."""
    write("recipes/burn_in.yml")
    write("recipes/burn_in_secrets.yml", "password: x\n")
    write("note.yml", "password: x\n")
    assert nearest_recipe(word) == meant


@pytest.mark.parametrize("command", ["validate", "plan", "compile", "lock"])
def test_commands_take_names(command: str) -> None:
    done = call(command, "rack.recipes.host_health")
    assert done.code == 0, done.err
    assert str(COLLECTION.resolve()) not in done.out


def test_a_lock_by_name_holds_and_is_the_same_on_each_machine() -> None:
    assert call("lock", "acceptance").code == 0
    assert str(COLLECTION.resolve()) not in Path("rack-recipes.lock").read_text()
    assert call("lock", "--check").code == 0


def test_a_missing_recipe_says_how_to_run_the_shipped_one() -> None:
    done = call("run", "recipes/host_health.yml")
    assert done.code == 2
    assert "no such file (did you mean 'rack.recipes.host_health'?)" in done.err


@pytest.mark.parametrize("word", ["disk.usage", "rack.recipes.fabric_check", "host.own"])
def test_a_scriptlet_in_place_of_a_recipe_is_told_with_the_command_that_tries_it(word: str) -> None:
    Path("scriptlets/host").mkdir(parents=True)
    Path("scriptlets/host/own.sh").write_text("echo {}")
    names = [path.stem for path in (COLLECTION / "plugins/modules").glob("*.py")]
    word = f"rack.recipes.{names[0]}" if word.startswith("rack") else word
    assert f"; {word} is a scriptlet, which `rack-recipes debug {word}` tries" in call("run", word).err


def test_a_project_may_begin_with_a_shipped_recipe(own_folder: Path) -> None:
    done = call("new", "project", "lab", "--from", "acceptance")
    assert done.code == 0, done.err
    assert "rack-recipes run recipes/acceptance.yml" in done.err
    lab = own_folder / "lab"
    assert not (lab / "recipes/first.yml").exists()
    for name in ("acceptance.yml", "parts/hardware.yml", "parts/links.yml"):
        assert (lab / "recipes" / name).read_bytes() == (COLLECTION / "recipes" / name).read_bytes()
    assert call("validate", str(lab / "recipes/acceptance.yml")).code == 0
    assert "# The recipe runs on servers, leaves, spines: make these groups" in (lab / "inventory.yml").read_text()


def test_a_project_can_not_begin_with_what_is_not_shipped() -> None:
    done = call("new", "project", "lab", "--from", "aceptance")
    assert (done.code, Path("lab").exists()) == (2, False)
    assert "did you mean 'acceptance'" in done.err


@pytest.mark.parametrize("words", [["run", "recipes/first.yml"], ["validate", "recipes/first.yml"], ["runs"], ["show"]])
def test_in_the_folder_above_a_project_a_command_says_so(words: list[str]) -> None:
    call("new", "project", "lab")
    done = call(*words)
    assert done.code in (2, 5)
    assert "; there is a project in lab: `cd lab` first" in done.err
    assert "did you mean" not in done.err, "the folder is wrong, not the name"
    call("new", "project", "other")
    assert "; there are projects in lab, other: `cd` into one of them first" in call(*words).err


@pytest.mark.parametrize("words", [["run", "recipes/first.yml"], ["validate", "recipes/first.yml"], ["runs"]])
def test_in_a_folder_of_a_project_a_command_names_the_project(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call("new", "project", "lab")
    monkeypatch.chdir("lab/recipes")
    done = call(*words)
    assert "; there is a project in ..: `cd ..` first" in done.err
    assert "did you mean" not in done.err
    assert "(did you mean 'first.yml'?)" in call("validate", "firs.yml").err


def test_a_recipe_of_a_project_below_says_that_it_is_not_run_there() -> None:
    call("new", "project", "lab")
    done = call("run", "lab/recipes/first.yml", "--dry-run")
    assert "inventory and settings of its project do not count here: `cd lab` first" in done.err
