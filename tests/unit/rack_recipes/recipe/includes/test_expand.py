# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes with includes: cases/included/*, each with what it becomes in recipe.json."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.recipe.recipe_as_text import shown
from rack_recipes.collection_path import COLLECTION
from rack_recipes.errors import Place, RecipeErrors
from rack_recipes.recipe.includes.included_files import read_included_files
from rack_recipes.recipe.load import digest, load
from rack_recipes.recipe.recipe_model import Dependency, Recipe
from rack_recipes.recipe.yaml.values_and_positions import KEY

CASES = Path(__file__).parents[1] / "cases" / "included"
HEAD = "test_meta: {test_id: T}\n"
ALL = sorted(CASES.iterdir())


@pytest.fixture
def in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a project's files and go there."""

    def write(**texts: str) -> Path:
        for name, text in texts.items():
            path = tmp_path / f"{name.replace('__', '/')}.yml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(HEAD + text)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return write


def including(path: str, name: str = "inner") -> str:
    return f"steps: [{{include: {path}, name: {name}}}]\n"


def refusal(path: str = "recipe.yml") -> str:
    with pytest.raises(RecipeErrors) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize("case", ALL, ids=attrgetter("stem"))
def test_what_it_becomes(case: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place is in its file, and a recipe survives pickling."""
    monkeypatch.chdir(case)
    recipe = load("recipe.yml")
    golden(case / "recipe.json", shown(recipe))
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert len(recipe.places) == len(list(recipe.places))
    for path, place in recipe.places.items():
        lines = Path(place.file).read_text().split("\n")
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1, path
    for step in recipe.steps:
        assert step.place == recipe.places.get(("included", step.name), step.place)


def test_places_of_included_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / "procedure")
    places = load("recipe.yml").places
    assert places["included", "burn.heat", "hosts"] == Place("common/burn.yml", 19, 12)
    assert places["included", "burn.heat", "hosts", KEY] == Place("common/burn.yml", 19, 5)
    assert places["steps", 2, "name"] == Place("recipe.yml", 13, 11)
    for path in [("included",), ("included", "burn"), ("included", "measure"), ("included", "burn.heat", "x")]:
        assert path not in places


def test_the_digest_is_of_all_files(in_project: Callable[..., Path]) -> None:
    in_project(recipe=including("a.yml"), a=including("b.yml"), b="steps: [{name: x, module: y}]\n")
    before = load("recipe.yml").digest
    contents = [Path(name).read_bytes() for name in ("recipe.yml", "a.yml", "b.yml")]
    made = hashlib.sha256(contents[0])
    for content in contents[1:]:
        made.update(hashlib.sha256(content).digest())
    assert before == f"sha256:{made.hexdigest()}"
    Path("b.yml").write_text(HEAD + "steps: [{name: x, module: z}]\n")
    assert load("recipe.yml").digest != before


def test_a_link_inside_the_project_is_followed_and_one_that_leads_out_is_not(in_project: Callable[..., Path]) -> None:
    root = in_project(recipe=including("link.yml"), sub__a="steps: [{name: x, module: y}]\n")
    (root / "link.yml").symlink_to("sub/a.yml")
    assert [step.name for step in load("recipe.yml").steps] == ["inner.x"]
    (root / "link.yml").unlink()
    (root / "link.yml").symlink_to("/etc/hostname")
    assert refusal().endswith("got 'link.yml', a link that leads out of it")


def test_a_recipe_in_a_linked_folder_elsewhere_includes_its_neighbours(
    in_project: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As the recipes of a collection that is installed by a link."""
    elsewhere = tmp_path_factory.mktemp("collection")
    (elsewhere / "parts").mkdir()
    (elsewhere / "parts" / "a.yml").write_text(f"{HEAD}steps: [{{name: a, type: shell, module: m}}]\n")
    (elsewhere / "whole.yml").write_text(HEAD + including("parts/a.yml"))
    (in_project() / "linked").symlink_to(elsewhere)
    assert [step.name for step in load("linked/whole.yml").steps] == ["inner.a"]


def test_links_do_not_hide_a_circle(in_project: Callable[..., Path]) -> None:
    root = in_project(recipe=including("link.yml"))
    (root / "link.yml").symlink_to("recipe.yml")
    assert "expected a recipe that does not include itself, got recipe.yml -> link.yml" in refusal()
    (root / "link.yml").unlink()
    (root / "link.yml").symlink_to("link.yml")
    assert "expected the path of a recipe in the project, relative to this file, got 'link.yml'" in refusal()


def test_only_ordinary_files_are_read(in_project: Callable[..., Path]) -> None:
    root = in_project(recipe=including("pipe"))
    os.mkfifo(root / "pipe")
    assert refusal().endswith("got 'pipe', no ordinary file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(in_project: Callable[..., Path]) -> None:
    root = in_project(recipe=including("a.yml"), a="")
    (root / "a.yml").chmod(0)
    assert refusal().endswith("got 'a.yml': one that you may not read")


def test_a_name_that_no_file_has(in_project: Callable[..., Path]) -> None:
    in_project(recipe=including("x" * 900))
    assert "expected the path of a recipe in the project" in refusal()


def test_a_recipe_elsewhere_includes_what_is_beside_it(
    in_project: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = in_project(recipe=including("sub/a.yml"), sub__a=including("../b.yml"), b="steps: [{name: x, module: y}]\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    recipe = load(str(root / "recipe.yml"))
    assert [step.name for step in recipe.steps] == ["inner.inner.x"]
    assert recipe.steps[0].place.file == str(root / "b.yml")
    (root / "sub" / "a.yml").write_text(HEAD + including("../../b.yml"))
    assert refusal(str(root / "recipe.yml")).endswith("got '../../b.yml', which leads out of it")


@pytest.mark.parametrize("role", ["acceptance", "server_burn_in"])
@pytest.mark.usefixtures("own_folder")
def test_files_that_we_ship_include_others_that_we_ship(role: str) -> None:
    assert load(str(COLLECTION / f"roles/{role}/files/recipe.yml")).steps


def test_a_recipe_in_a_folder_includes_from_the_whole_project(in_project: Callable[..., Path]) -> None:
    in_project(sub__recipe=including("../a.yml"), a="steps: [{name: x, module: y}]\n")
    assert load("sub/recipe.yml").steps[0].place.file == "a.yml"


def test_waiting_for_a_large_include_takes_no_room(in_project: Callable[..., Path]) -> None:
    many = "steps:\n" + "".join(f"- {{name: s{n}, module: y}}\n" for n in range(2000))
    first = "steps:\n- {include: many.yml, name: a}\n- {include: many.yml, name: b, depends_on: [a]}\n"
    in_project(recipe=first, many=many)
    steps = load("recipe.yml").steps
    assert len({id(step.depends_on) for step in steps[2000:]}) == 1
    assert steps[-1].depends_on == tuple(Dependency(f"a.s{n}") for n in range(2000))


def timed(path: str) -> float:
    started = time.process_time()
    with pytest.raises(RecipeErrors, match="expected at most 10000 steps by includes, got more"):
        load(path)
    return time.process_time() - started


def test_includes_cannot_explode(in_project: Callable[..., Path]) -> None:
    def ten(path: str) -> str:
        return "steps:\n" + "".join(f"- {{include: {path}, name: n{n}}}\n" for n in range(10))

    names = [f"r{n}" for n in range(9)]
    files = {name: ten(f"{following}.yml") for name, following in zip(names, [*names[1:], "last"], strict=True)}
    in_project(recipe=ten("r0.yml"), **files, last="steps: [{name: x, module: y}]\n")
    assert timed("recipe.yml") < 30  # a billion steps would take hours
    in_project(last=ten("absent.yml"))
    assert timed("recipe.yml") < 30


def recipe_of(in_project: Callable[..., Path], **texts: str) -> Recipe:
    in_project(**texts)
    return load("recipe.yml")


@pytest.mark.parametrize(
    ("outer", "inner", "both"),
    [
        ("true", '"{{ a }}"', "{{ a }}"),
        ('"{{ a }}"', "true", "{{ a }}"),
        ("false", '"{{ a }}"', False),
        ('"{{ a }}"', "false", False),
        ('"{{ a }}"', '"{{ b }}"', ({"value": "{{ a }}", "eq": True}, {"value": "{{ b }}", "eq": True})),
        ('{value: "${a_v1}", eq: 1}', '"{{ b }}"', ({"value": "${a_v1}", "eq": 1}, {"value": "{{ b }}", "eq": True})),
    ],
)
def test_both_conditions_have_to_hold(in_project: Callable[..., Path], outer: str, inner: str, both: object) -> None:
    steps = f"steps: [{{include: a.yml, name: n, when: {outer}}}]\n"
    recipe = recipe_of(in_project, recipe=steps, a=f"steps: [{{name: x, module: y, when: {inner}}}]\n")
    assert recipe.steps[0].when == both


LIMITED = (
    "params: {m: {type: int, max: 5}, n: {type: float, min: 1, default: '${params.m}'}, o: {type: int, default: 9}}\n"
)


def test_a_parameter_takes_over_the_limits_of_those_that_it_is_given_to(in_project: Callable[..., Path]) -> None:
    steps = "steps: [{name: s, module: a.b}]\n"
    in_project(
        recipe="params: {x: {type: int}, y: {type: int, max: 7}}\n"
        "steps: [{name: i, include: mid.yml, params: {p: '${params.x}'}}]\n",
        mid="params: {p: {type: int, ne: 3}}\nsteps: [{name: j, include: inner.yml, params: {m: '${params.p}'}}]\n",
        inner=LIMITED + steps,
    )
    params = load("recipe.yml").params
    assert params["x"].also == {"i.p": {"ne": 3}, "i.j.m": {"max": 5}, "i.j.n": {"min": 1}}
    assert (params["y"].limits, params["y"].also) == ({"max": 7}, {})
    assert (params["x"].limits, params["x"].required) == ({}, True)


def test_parts_of_parameters_and_texts_with_them_are_asked_for_too(in_project: Callable[..., Path]) -> None:
    given = "{m: '${params.site.long}', tag: '${params.b}-${params.a}', later: '${params.a} ${ctx.key_v1}'}"
    in_project(
        recipe="params: {site: {type: dict}, a: {}, b: {}}\n"
        f"steps: [{{name: i, include: inner.yml, params: {given}}}]\n",
        inner="params: {m: {type: int, max: 5}, tag: {matches: a}, later: {matches: b}}\n"
        "steps: [{name: s, module: a.b}]\n",
    )
    params = load("recipe.yml").params
    assert params["site"].also == {"i.m": {"of": "${params.site.long}", "type": "int", "max": 5}}
    assert params["a"].also == {"i.tag": {"of": "${params.b}-${params.a}", "type": "str", "matches": "a"}}
    assert params["b"].also == {}


def test_a_default_that_is_wrong_may_never_be_needed(in_project: Callable[..., Path]) -> None:
    in_project(
        recipe="params: {a: {default: x}, b: {type: int, default: '${params.a}'}, c: {type: int, default: 4}}\n"
        "steps: [{name: i, include: inner.yml, params: {m: '${params.b}'}},"
        " {name: k, include: inner.yml, params: {m: '${params.c}'}}]\n",
        inner=LIMITED + "steps: [{name: s, module: a.b}]\n",
    )
    assert load("recipe.yml").params["b"].also == {"i.m": {"max": 5}, "i.n": {"min": 1}}


ERRORS = Path(__file__).parents[1] / "cases" / "includes"


@pytest.mark.parametrize("case", sorted(ERRORS.iterdir()), ids=attrgetter("stem"))
def test_errors(case: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each error has its place in its file."""
    monkeypatch.chdir(case)
    with pytest.raises(RecipeErrors) as caught:
        load("recipe.yml")
    golden(case / "errors.txt", f"{caught.value}\n")
    for error in caught.value.errors:
        lines = (case / error.place.file).read_text().split("\n")
        assert 1 <= error.place.line <= len(lines)
        assert 1 <= error.place.column <= len(lines[error.place.line - 1]) + 1
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("{include: part.yml}", "recipe.yml:4:15: expected each step name once, got 'check' again (first by line 3)"),
        ("{name: last, module: a.last, depends_on: [chek]}", "got 'chek' (did you mean 'check'?)"),
    ],
)
def test_steps_of_an_include_without_a_name(in_project: Callable[..., Path], second: str, told: str) -> None:
    part = "steps: [{name: check, module: a.check}]\n"
    in_project(recipe=f"steps:\n  - include: part.yml\n  - {second}\n", part=part)
    assert told in refusal()


def write(name: str, *includes: str, steps: int = 0) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = [{"name": f"own{n}", "module": "x", "success": "none"} for n in range(steps)]
    inner = [{"name": f"part{n}", "include": path} for n, path in enumerate(includes)]
    path.write_text(json.dumps({"test_meta": {"test_id": name}, "steps": [*inner, *own]}))


def test_in_the_order_of_the_digest(project: Path):
    write("top.yml", "parts/b.yml", "parts/a.yml", "parts/b.yml")
    write("parts/a.yml", "deep/c.yml", steps=1)
    write("parts/b.yml", "a.yml", steps=2)
    write("parts/deep/c.yml", steps=1)
    text = Path("top.yml").read_bytes()
    found = read_included_files(text, "top.yml")
    assert [*found] == ["parts/b.yml", "parts/a.yml", "parts/deep/c.yml"]
    assert digest(text, [*found.values()]) == load("top.yml").digest


def test_a_recipe_without_includes(project: Path):
    write("top.yml", steps=1)
    assert read_included_files(Path("top.yml").read_bytes(), "top.yml") == {}


def test_what_leads_nowhere_is_left_out(project: Path):
    write("top.yml", "absent.yml", "../outside.yml", "/etc/passwd", "part.yml")
    write("part.yml", "top.yml", "part.yml", steps=1)
    assert [*read_included_files(Path("top.yml").read_bytes(), "top.yml")] == ["part.yml"]


def test_what_is_no_recipe(project: Path):
    with pytest.raises(RecipeErrors):
        read_included_files(b"steps: [", "top.yml")
