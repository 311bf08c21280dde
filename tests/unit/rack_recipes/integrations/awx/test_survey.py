# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from ansible_collections.rack.recipes.tests.integration.awx.awx_api import refused_answer, refused_survey
from rack_recipes.errors import RecipeErrors
from rack_recipes.integrations.awx.survey import question_of, survey_of
from rack_recipes.recipe import param_values
from rack_recipes.recipe.load import load, parse
from rack_recipes.recipe.steps_to_and_from_data import param_from_data

ROOT = Path(__file__).resolve().parents[5]
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "questions.yml").read_text())
SHIPPED = sorted((ROOT / "recipes").glob("*.yml"))


@pytest.mark.parametrize("case", CASES, ids=[case["of"] for case in CASES])
def test_a_question(case: dict[str, Any]):
    param = param_from_data("p", {"description": "What it is", **case["param"]})
    named = {"variable": "p", "question_name": "What it is", "required": False}
    question = question_of(param)
    assert question == {**named, **case["question"]}
    assert refused_survey({"name": "", "description": "", "spec": [question]}) == ""


@pytest.mark.parametrize("case", [case for case in CASES if "default" in case["question"]], ids=lambda case: case["of"])
def test_an_answer_that_nobody_changed_is_the_default(case: dict[str, Any]):
    param = param_from_data("p", case["param"])
    question = question_of(param)
    assert refused_answer(question, {"p": question["default"]}) == ""
    assert param_values.values_of_params({"p": param}, {"p": question["default"]}, texts=True) == {"p": param.default}


def test_a_parameter_without_a_description_is_asked_for_by_its_name():
    assert question_of(param_from_data("vlan", {"type": "int"}))["question_name"] == "vlan"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_awx_takes_the_surveys_of_our_recipes(path: Path):
    survey = survey_of(load(str(path)))
    assert survey is None or refused_survey(survey) == ""


def test_bounds_of_included_recipes_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    inner = {"type": "int", "default": 5, "min": 3, "max": 50}
    step = {"name": "s", "module": "x.y", "success": "none"}
    Path("inner.yml").write_text(
        yaml.safe_dump({"test_meta": {"test_id": "I"}, "params": {"n": inner}, "steps": [step]})
    )
    outer = {"n": {"type": "int", "default": 5, "min": 1, "max": 20}}
    include = {"include": "inner.yml", "name": "part", "params": {"n": "${params.n}"}}
    recipe = parse(
        yaml.safe_dump({"test_meta": {"test_id": "O"}, "params": outer, "steps": [include]}).encode(), "o.yml"
    )
    question = question_of(recipe.params["n"])
    assert (question["min"], question["max"]) == (3, 20)


def test_names_of_awx_are_refused_with_their_places():
    text = b"""\
test_meta: {test_id: T-1}
params:
  awx_job_id: {type: int}
  fine: {type: int}
  Tower_x: {type: int}
steps:
  - {name: s, module: x.y, success: none}
"""
    with pytest.raises(RecipeErrors) as found:
        survey_of(parse(text, "r.yml"))
    wanted = "expected a name that begins neither with awx_ nor with tower_"
    assert str(found.value).splitlines() == [
        f"r.yml:3:3: {wanted}, got 'awx_job_id': AWX gives such variables to every job",
        f"r.yml:5:3: {wanted}, got 'Tower_x': AWX gives such variables to every job",
    ]


def test_a_parameter_with_the_name_of_a_secret_is_asked_for_as_a_password():
    head = b"test_meta: {test_id: T-1}\nparams: {bmc_password: {default: x}}\n"
    text = head + b"steps: [{name: s, module: x.y, success: none}]\n"
    survey = survey_of(parse(text, "r.yml"), SecretNames(["*password"]))
    assert survey is not None
    [question] = survey["spec"]
    assert (question["type"], question["required"], "default" in question) == ("password", False, False)


def test_no_parameters_no_survey():
    assert survey_of(load(str(ROOT / "recipes/numbers.yml"))) is None
