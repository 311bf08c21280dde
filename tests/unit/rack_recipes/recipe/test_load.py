# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe as it is loaded: speed, imports, and errors with their places."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.recipe.recipe_as_text import shown
from rack_recipes.errors import Place, RackError, RecipeErrors
from rack_recipes.recipe import load as module
from rack_recipes.recipe.load import load, parse
from rack_recipes.recipe.recipe_model import Step
from rack_recipes.recipe.yaml.values_and_positions import KEY

CASES = Path(__file__).parent / "cases" / "good"
MANY = "test_meta: {test_id: MANY}\nsteps:\n" + "".join(
    f"""  - idx: {number}
    name: step_{number}
    type: python
    module: scriptlets.steps.compute_numbers
    function: ComputeNumbers
    args:
      src: data/numbers_{number}.csv
      limits: [1, 2.5, 3]
      link: {{name: eth0, speed: 100000}}
    depends_on: [step_{max(number - 1, 1)}]
    retry: {{max: 3, delay_sec: 2}}
    timeout: 60
    success:
      ctx_has_keys:
        - numbers.stats_v1
""".replace("[step_1]" if number == 1 else "\0", "[]")
    for number in range(1, 1001)
)


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=attrgetter("stem"))
def test_good_recipes(case: Path, golden: Callable[[Path, str], None]) -> None:
    golden(case.with_suffix(".json"), shown(parse(case.read_bytes(), "recipe.yml")))


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=attrgetter("stem"))
def test_a_recipe_survives_pickling(case: Path) -> None:
    recipe = load(str(case))
    assert pickle.loads(pickle.dumps(recipe)) == recipe


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=attrgetter("stem"))
def test_every_value_and_key_has_a_place(case: Path) -> None:
    recipe = parse(case.read_bytes(), "recipe.yml")
    lines = case.read_bytes().decode("utf-8-sig").split("\n")
    assert len(list(recipe.places)) == len(recipe.places) > 0
    for path, place in recipe.places.items():
        assert place.file == "recipe.yml"
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1, path


def test_the_path_stays_as_given_and_the_digest_is_of_the_bytes() -> None:
    case = CASES / "windows.yml"
    recipe = load(str(case))
    assert recipe.path == str(case)
    assert recipe.digest == f"sha256:{hashlib.sha256(case.read_bytes()).hexdigest()}"


def test_steps_know_where_they_stand_whatever_their_order() -> None:
    recipe = load(str(CASES / "order.yml"))
    in_file = sorted(recipe.steps, key=lambda step: step.place)
    assert [step.name for step in in_file][:3] == ["ninth", "after_ninth", "second"]
    assert recipe.places["steps", 0, "idx"] == Place(recipe.path, 4, 35)
    assert recipe.places["steps", 0, "idx", KEY] == Place(recipe.path, 4, 30)


def test_defaults_are_those_of_the_model() -> None:
    step = load(str(CASES / "smallest.yml")).steps[0]
    assert step == Step(idx=1, name="a", type="python", module="b", place=step.place)


@pytest.mark.parametrize("step", load(str(CASES / "every_field.yml")).steps, ids=attrgetter("name"))
def test_nothing_but_args_can_be_changed(step: Step) -> None:
    data = {field.name: getattr(step, field.name) for field in fields(step)}
    values: dict[str, Any] = {name: value for name, value in data.items() if name not in ("args", "matrix")}
    assert not [name for name, value in values.items() if isinstance(value, (list, dict, set))]
    assert hash(tuple(values.values()))


def test_a_thousand_steps_load_in_a_fraction_of_a_second() -> None:
    content = MANY.encode()
    parse(content, "warm.yml")
    started = time.process_time()
    assert len(parse(content, "many.yml").steps) == 1000
    assert time.process_time() - started < 1.0  # 0.17 s on the machine it was written on


def test_importing_costs_no_jsonschema() -> None:
    program = f"import sys, {module.__name__}; print(sorted(name for name in sys.modules if 'jsonschema' in name))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_load_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(RackError, match="expected a file that can be read, got no such file"):
        load(str(tmp_path / "absent.yml"))


ERROR_CASES = Path(__file__).parent / "cases" / "errors"


@pytest.mark.parametrize("case", sorted(ERROR_CASES.glob("*.yml")), ids=attrgetter("stem"))
def test_errors(case: Path, golden: Callable[[Path, str], None]) -> None:
    with pytest.raises(RecipeErrors) as caught:
        parse(case.read_bytes(), "recipe.yml")
    golden(case.with_suffix(".txt"), f"{caught.value}\n")


@pytest.mark.parametrize("case", sorted(ERROR_CASES.glob("*.yml")), ids=attrgetter("stem"))
def test_every_error_names_its_place_once(case: Path) -> None:
    with pytest.raises(RecipeErrors) as caught:
        parse(case.read_bytes(), "recipe.yml")
    lines = case.read_bytes().decode(errors="replace").split("\n")
    errors = caught.value.errors
    assert caught.value.exit_code == 2
    assert len({(error.place, error.expected) for error in errors}) == len(errors) > 0
    assert list(errors) == sorted(errors, key=attrgetter("place"))
    for error in errors:
        assert 1 <= error.place.line <= len(lines)
        assert 1 <= error.place.column <= len(lines[error.place.line - 1]) + 1
        assert "\n" not in str(error)


def test_each_golden_file_has_its_case() -> None:
    assert {path.stem for path in ERROR_CASES.glob("*.txt")} == {path.stem for path in ERROR_CASES.glob("*.yml")}
