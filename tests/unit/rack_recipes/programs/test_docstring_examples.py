# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in the docstrings of public names, in the project that `rack-recipes new project` makes."""

from __future__ import annotations

import doctest
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import rack_recipes
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.programs.pytest_plugin.context_fixture import RackContext


@pytest.fixture(scope="module", autouse=True)
def _project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new project, which has run its first recipe."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("project"))
    assert call("new", "project", ".").code == 0
    assert rack_recipes.run_recipe("recipes/first.yml").exit_code == 0
    yield
    os.chdir(before)


@pytest.mark.parametrize("name", rack_recipes.__all__)
def test_the_example_of_a_name_is_right(name: str, rack_context: RackContext):
    names: dict[str, object] = {each: getattr(rack_recipes, each) for each in rack_recipes.__all__}
    found = doctest.DocTestFinder().find(names[name], name, globs={**names, "rack_context": rack_context})
    [test] = [one for one in found if one.name == name]
    assert test.examples
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert said == []
