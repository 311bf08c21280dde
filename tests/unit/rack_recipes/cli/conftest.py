# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import make_project, runs_made_in
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import make_runs


@pytest.fixture
def lab(project: Path) -> Path:
    """A project with the scriptlets and recipes of `make_project`; it is the working folder."""
    make_project(project)
    return project


@pytest.fixture(scope="session")
def _stored_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs_made_in(tmp_path_factory.mktemp("runs"), make_runs)


@pytest.fixture
def stored(_stored_runs: Path, project: Path) -> Path:
    """A project with two runs; it is the working folder."""
    shutil.copytree(_stored_runs, project / ".rack-recipes")
    return project


@pytest.fixture
def runs(stored: Path) -> Path:
    """The folders of two runs, in a project that is the working folder."""
    folder = stored / ".rack-recipes/runs"
    for run in folder.iterdir():
        (run / "lock").touch()
    return folder
