# SPDX-License-Identifier: GPL-3.0-or-later

"""The plugin for pytest: which files it collects, and the import lines of the proposal."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from rack_recipes.errors import Place
from rack_recipes.programs.pytest_plugin.collect import Expected, RecipeItem, StepFailed
from rack_recipes.programs.pytest_plugin.find_recipe_files import project_of
from rack_recipes.programs.recipe_result import RecipeResult, ResultTable
from rack_recipes.programs.run_recipe_and_scriptlet import RunOptions, run_recipe
from rack_recipes.recipe.recipe_names import looks_like_recipe


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test_meta: {test_id: A}\nsteps: []\n", True),
        ("---\nsteps:\n- name: a\ntest_meta:\n  test_id: A\n", True),
        ("\"test_meta\" : {}\n'steps': []", True),
        ("test_meta: {}\n", False),
        ("all:\n  test_meta:\n  steps:\n", False),
        ("- hosts: all\n  tasks: []\n", False),
        ("# test_meta: steps:\n", False),
        ("", False),
        ("\x00\xff", False),
    ],
)
def test_what_looks_like_a_recipe(tmp_path, text, expected):
    (tmp_path / "x.yml").write_text(text, encoding="latin-1")
    assert looks_like_recipe(tmp_path / "x.yml") is expected


def test_what_cannot_be_read_is_none(tmp_path):
    assert not looks_like_recipe(tmp_path)


@pytest.mark.parametrize(
    ("there", "file", "expected"),
    [
        ([], "a/b/x.yml", "."),
        (["a/scriptlets/"], "a/b/x.yml", "a"),
        (["a/ansible.cfg"], "a/b/x.yml", "a"),
        (["ansible.cfg", "a/b/ansible.cfg"], "a/b/x.yml", "a/b"),
        (["other/ansible.cfg"], "a/b/x.yml", "."),
        (["../ansible.cfg"], "a/b/x.yml", "."),
        ([], "../elsewhere/x.yml", "../elsewhere"),
        (["../ansible.cfg"], "../elsewhere/x.yml", ".."),
    ],
)
def test_the_project_is_the_nearest_marked_folder(tmp_path, there, file, expected):
    root = tmp_path / "root"
    for place in (*there, file):
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if place.endswith("/") else path.write_text("")
    assert project_of((root / file).resolve(), root) == (root / expected).resolve()


def test_the_folder_orchestrator_of_the_first_proposal_is_inside_its_project(tmp_path):
    (tmp_path / "lab/orchestrator/scriptlets").mkdir(parents=True)
    recipe = tmp_path / "lab/orchestrator/recipes/x.yml"
    assert project_of(recipe, tmp_path) == tmp_path / "lab"
    (tmp_path / "lab/orchestrator/ansible.cfg").touch()
    assert project_of(recipe, tmp_path) == tmp_path / "lab/orchestrator"


def test_a_file_belongs_to_somebody():
    assert project_of(Path("/nowhere/x.yml"), Path("/somewhere")) == Path("/nowhere")


def test_a_result_that_never_came_has_its_reason_and_not_the_whole_run():
    others = ResultTable({(f"step{number}", "r1"): {"verdict": "passed"} for number in range(500)})
    result = RecipeResult(1, "interrupted", "R1", steps=others)
    item = SimpleNamespace(
        recipe=SimpleNamespace(result=lambda: result),
        expected=Expected("burn", "burn", "r1", Place("burn_in.yml", 9, 5)),
    )
    with pytest.raises(StepFailed) as caught:
        RecipeItem.runtest(item)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "burn[r1] was never begun: run R1 is interrupted, without a result of it\nburn_in.yml:9:5"
    )


def test_the_fixture_takes_what_the_function_takes():
    of_function = list(inspect.signature(run_recipe).parameters)[1:]
    assert list(RunOptions.__annotations__) == of_function
