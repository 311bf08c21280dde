# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said about wrong includes: cases/includes/*, each a recipe with its files and its errors.txt."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from rack_recipes.errors import RecipeErrors
from rack_recipes.recipe.load import load

CASES = Path(__file__).parents[1] / "cases" / "includes"


def refusal(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "recipe.yml") -> RecipeErrors:
    monkeypatch.chdir(folder)
    with pytest.raises(RecipeErrors) as caught:
        load(name)
    return caught.value


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=attrgetter("stem"))
def test_errors(case: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    golden(case / "errors.txt", f"{refusal(case, monkeypatch)}\n")


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=attrgetter("stem"))
def test_every_error_has_its_place_in_its_file(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in refusal(case, monkeypatch).errors:
        lines = (case / error.place.file).read_text().split("\n")
        assert 1 <= error.place.line <= len(lines)
        assert 1 <= error.place.column <= len(lines[error.place.line - 1]) + 1
        assert "\n" not in str(error)


def test_two_includes_without_a_name_have_a_step_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = "test_meta: {test_id: T}\n"
    Path("part.yml").write_text(head + "steps: [{name: check, module: a.check}]\n")
    Path("recipe.yml").write_text(head + "steps:\n  - include: part.yml\n  - {include: part.yml}\n")
    with pytest.raises(RecipeErrors) as caught:
        load("recipe.yml")
    assert str(caught.value) == "recipe.yml:4:15: expected each step name once, got 'check' again (first by line 3)"


def test_a_step_that_no_include_without_a_name_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = "test_meta: {test_id: T}\n"
    Path("part.yml").write_text(head + "steps: [{name: check, module: a.check}]\n")
    step = "{name: last, module: a.last, depends_on: [chek]}"
    Path("recipe.yml").write_text(head + f"steps:\n  - include: part.yml\n  - {step}\n")
    with pytest.raises(RecipeErrors) as caught:
        load("recipe.yml")
    assert "got 'chek' (did you mean 'check'?)" in str(caught.value)
