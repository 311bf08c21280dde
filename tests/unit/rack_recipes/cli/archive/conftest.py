# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results import conftest as results

_made = results._made


@pytest.fixture
def runs(_made: Path, project: Path) -> Path:
    """The folders of two runs, in a project that is the working folder."""
    shutil.copytree(_made, project / ".rack-recipes")
    folder = project / ".rack-recipes/runs"
    for run in folder.iterdir():
        (run / "lock").touch()
    return folder
