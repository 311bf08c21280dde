# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error's exact words: cases/errors/*.yml, each with what is said about it in a .txt beside it."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from rack_recipes.errors import RecipeErrors
from rack_recipes.recipe.load import parse

CASES = Path(__file__).parent / "cases" / "errors"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=attrgetter("stem"))
def test_errors(case: Path, golden: Callable[[Path, str], None]) -> None:
    with pytest.raises(RecipeErrors) as caught:
        parse(case.read_bytes(), "recipe.yml")
    golden(case.with_suffix(".txt"), f"{caught.value}\n")


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=attrgetter("stem"))
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
    assert {path.stem for path in CASES.glob("*.txt")} == {path.stem for path in CASES.glob("*.yml")}
