# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects for the tests of whole runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.integration.server.server_process import Server, served
from call_rack_recipes import CHECKOUT


@pytest.fixture
def shipped(project: Path) -> Path:
    """A project with the recipes and data that we ship."""
    for folder in ("recipes", "data"):
        shutil.copytree(CHECKOUT / folder, project / folder)
    return project


@pytest.fixture
def steps(project: Path) -> Path:
    """A project with the scriptlets of these tests."""
    shutil.copytree(Path(__file__).parent / "cases" / "scriptlets", project / "scriptlets")
    return project


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One context server for all groups of a file."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("server"))
    try:
        with served() as made:
            yield made
    finally:
        os.chdir(before)
