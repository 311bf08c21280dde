# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe as it is loaded: speed, imports, and errors with their places."""

from __future__ import annotations

import hashlib
import os
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
    """Each value and key has a place, and a recipe survives pickling."""
    recipe = parse(case.read_bytes(), "recipe.yml")
    golden(case.with_suffix(".json"), shown(recipe))
    assert pickle.loads(pickle.dumps(recipe)) == recipe
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


LEAST = "test_meta: {test_id: T}\nsteps: [{name: a, module: m}]\n"
STRANGER = 54_321  # a user and a group that nobody has


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a recipe in a folder of it, one beside that, and one outside; it is the working folder."""
    for name in ("project/recipes/own.yml", "project/top.yml", "elsewhere/shared/far.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(LEAST)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.parametrize("name", ["recipes/own.yml", "top.yml", "../elsewhere/shared/far.yml", "far"])
@pytest.mark.parametrize("how", ["everyone", "a group", "a stranger", "the folder"])
def test_a_recipe_that_others_can_change_is_refused(name: str, how: str, project: Path) -> None:
    if how in ("a group", "a stranger") and os.geteuid():
        pytest.skip("only root can give files to others")
    Path("far").symlink_to("../elsewhere/shared/far.yml")  # a link is what it leads to
    file = Path(name).resolve()
    load(name)
    if how == "everyone":
        file.chmod(0o666)
    elif how == "the folder":
        file.parent.chmod(0o777)
    else:
        os.chown(file, STRANGER if how == "a stranger" else -1, STRANGER)
        file.chmod(0o664 if how == "a group" else 0o644)
    if (name, how) == ("top.yml", "the folder"):  # as for scriptlets, what is above is not looked at
        load(name)
        return
    with pytest.raises(RecipeErrors) as caught:
        load(name)
    told = f"{name}:1:1: expected a recipe that nobody else can change, got "
    assert str(caught.value).startswith(told)
    assert ", which is not trusted: " in str(caught.value)
    assert ("the setting scriptlets names trusted folders" in str(caught.value)) == ("far" in name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_the_setting_trusts_the_owner_of_a_folder_outside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = project.parent / "elsewhere/shared"
    for path in (shared, shared / "far.yml"):
        os.chown(path, STRANGER, STRANGER)
    with pytest.raises(RecipeErrors, match=f"it belongs to {STRANGER}, not to "):
        load(str(shared / "far.yml"))
    monkeypatch.setenv("RACK_RECIPES_SCRIPTLETS", f"scriptlets:{shared}")
    load(str(shared / "far.yml"))
    (shared / "far.yml").chmod(0o666)
    with pytest.raises(RecipeErrors, match="everyone can write to it"):
        load(str(shared / "far.yml"))


def test_a_recipe_of_one_s_own_in_a_folder_as_tmp_is_trusted(project: Path) -> None:
    project.parent.joinpath("elsewhere/shared").chmod(0o1777)
    load("../elsewhere/shared/far.yml")


def test_load_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(RackError, match="expected a file that can be read, got no such file"):
        load(str(tmp_path / "absent.yml"))


ERROR_CASES = Path(__file__).parent / "cases" / "errors"


@pytest.mark.parametrize("case", sorted(ERROR_CASES.glob("*.yml")), ids=attrgetter("stem"))
def test_errors(case: Path, golden: Callable[[Path, str], None]) -> None:
    """Each error names its place in the file, and is told once."""
    with pytest.raises(RecipeErrors) as caught:
        parse(case.read_bytes(), "recipe.yml")
    golden(case.with_suffix(".txt"), f"{caught.value}\n")
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
