# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import make_runs


@pytest.fixture(scope="session")
def _stored_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_runs()
    return folder / ".rack-recipes"


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
