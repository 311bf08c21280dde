# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe's file of limits: what becomes of it, and what is wrong with it and where."""

from __future__ import annotations

from operator import itemgetter
from pathlib import Path

import pytest
import yaml

from rack_recipes.errors import RecipeErrors
from rack_recipes.plan.compile.playbook import compiled_recipe
from rack_recipes.plan.make_plan import make_plan
from rack_recipes.plan.plan_model import PlanOptions
from rack_recipes.recipe.includes.included_files import read_included_files
from rack_recipes.recipe.load import digest, load

RECIPE = """\
test_meta: {test_id: FANS}
limits: limits/fans.yml
steps:
  - {name: fans, type: ansible, module: ansible.builtin.ping}
"""
CASES = Path(__file__).parent / "cases/limits_files.yml"
LIMITS = """\
learned: {runs: [R1]}
limits:
  - {step: fans, measurement: rpm, where: {model: h100, position: 7}, min: 9, max: 20, learned: {values: 12}}
"""


@pytest.fixture(autouse=True)
def _project(own_folder: Path) -> None:
    Path("limits").mkdir()
    Path("limits/fans.yml").write_text(LIMITS)
    Path("r.yml").write_text(RECIPE)


def test_a_recipe_has_the_limits_of_its_file():
    recipe = load("r.yml")
    expected = {"step": "fans", "measurement": "rpm", "where": {"model": "h100", "position": 7}, "min": 9, "max": 20}
    assert recipe.limits == (expected,)
    assert [*recipe.files] == ["r.yml", "limits/fans.yml"]
    assert compiled_recipe(make_plan(recipe, (), PlanOptions()))["limits"] == [expected]


def test_the_file_counts_in_the_digest_as_an_included_one():
    text = Path("r.yml").read_bytes()
    assert load("r.yml").digest == digest(text, [*read_included_files(text, "r.yml").values()])
    assert [*read_included_files(text, "r.yml")] == ["limits/fans.yml"]


@pytest.mark.parametrize("case", yaml.safe_load(CASES.read_text()), ids=itemgetter("error"))
def test_what_is_wrong_has_its_place(case: dict[str, str]):
    Path("r.yml").write_text(RECIPE.replace("limits/fans.yml", case.get("file", "limits/fans.yml")))
    if "limit" in case:
        Path("limits/fans.yml").write_text(f"limits:\n  - {case['limit']}\n")
    with pytest.raises(RecipeErrors) as caught:
        load("r.yml")
    assert str(caught.value) == case["error"]


def test_an_included_recipe_leaves_limits_to_the_recipe_that_is_run():
    Path("top.yml").write_text("test_meta: {test_id: T}\nsteps: [{include: r.yml, name: x}]\n")
    with pytest.raises(RecipeErrors, match="no 'limits' in a recipe that another one includes"):
        load("top.yml")
