# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipes that we ship fit the scriptlets that we ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call

CHECKOUT = Path(__file__).resolve().parents[2]


def test_every_recipe_is_valid(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(CHECKOUT)
    monkeypatch.setenv("RACK_RECIPES_STEP_TIMEOUT", "3600")  # as in a project that `new project` has made
    recipes = sorted(map(str, Path("recipes").rglob("*.yml")))
    done = call("validate", "--json", *recipes)
    assert (done.code, done.err) == (0, "")
    assert f'"recipes": {len(recipes)}' in done.out
