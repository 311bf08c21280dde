# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rack_recipes.errors import RecipeErrors
from rack_recipes.recipe.includes.included_files import read_included_files
from rack_recipes.recipe.load import digest, load


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
