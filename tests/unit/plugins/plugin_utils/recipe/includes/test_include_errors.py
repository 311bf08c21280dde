# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said about wrong includes: cases/includes/*, each a recipe with its files and its errors.txt."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.load import load

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
