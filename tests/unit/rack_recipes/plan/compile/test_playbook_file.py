# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import pytest

from rack_recipes.errors import RecipeErrors, UsageError
from rack_recipes.plan.compile.playbook import to_playbook
from rack_recipes.plan.compile.playbook_file import compile_to_file, plan_of
from rack_recipes.plan.plan_model import PlanOptions
from rack_recipes.settings import Settings

SCRIPTLETS = Path(__file__).parents[1] / "cases" / "scriptlets"
RECIPE = "test_meta: {test_id: T}\nsteps: [{name: a, type: shell, module: t.step}]\n"


@pytest.fixture(autouse=True)
def _recipe(project: Path) -> None:
    shutil.copytree(SCRIPTLETS, project / "scriptlets")
    (project / "r.yml").write_text(RECIPE)


def test_the_file_holds_the_playbook_for_its_owner(project: Path):
    path = compile_to_file("r.yml")
    assert path.is_absolute()
    assert path.parent == project / ".rack-recipes/compiled"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_text() == to_playbook(plan_of("r.yml"))
    assert [*path.parent.iterdir()] == [path]


def test_no_other_recipe_takes_the_file_s_place(project: Path):
    first = compile_to_file("r.yml")
    (project / "other").mkdir()
    (project / "other/r.yml").write_text(RECIPE)
    (project / "r.yml").write_text(RECIPE.replace("name: a", "name: b"))
    names = {first, compile_to_file("other/r.yml"), compile_to_file("r.yml")}
    assert len(names) == 3
    assert "name: a" in first.read_text()
    (project / "r.yml").write_text(RECIPE)
    assert compile_to_file("r.yml") == first


def test_options_have_files_of_their_own(project: Path):
    (project / "r.yml").write_text(RECIPE.replace("}]", "}, {name: b, type: shell, module: t.step}]"))
    options = (PlanOptions(), PlanOptions(only=("a",)), PlanOptions(skip=("a",)), PlanOptions(seed=1))
    paths = [compile_to_file("r.yml", options=each) for each in options]
    assert len({*paths}) == 4
    assert [path.read_text() for path in paths] == [to_playbook(plan_of("r.yml", options=each)) for each in options]


@pytest.mark.parametrize("collects", [True, False])
def test_the_garbage_collector_is_left_as_it_was(collects: bool, project: Path):
    (gc.enable if collects else gc.disable)()
    try:
        compile_to_file("r.yml")
        assert gc.isenabled() is collects
        with pytest.raises(RecipeErrors):
            compile_to_file("no.yml")
        assert gc.isenabled() is collects
    finally:
        gc.enable()


def test_settings_choose_the_folders(project: Path):
    shutil.move("scriptlets", "steps")
    with pytest.raises(RecipeErrors):
        compile_to_file("r.yml")
    path = compile_to_file("r.yml", Settings(runs="kept/runs", scriptlets=("steps",)))
    assert path.parent == project / "kept/compiled"


def test_a_folder_that_cannot_be_made_is_named(project: Path):
    (project / ".rack-recipes").write_text("a file")
    with pytest.raises(
        UsageError, match=r"^\.rack-recipes/compiled/r-[0-9a-f]{12}\.yml: (Not a directory|File exists)"
    ):
        compile_to_file("r.yml")
