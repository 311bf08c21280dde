# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects for tests that break things."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "soak"), str(TESTS / "faults")]


@pytest.fixture
def steps(project: Path) -> Path:
    """A project with the scriptlets of the tests of whole runs."""
    shutil.copytree(TESTS / "run" / "cases" / "scriptlets", project / "scriptlets")
    return project


@pytest.fixture
def swept(project: Path) -> Path:
    """A project with the scriptlets of the sweeps."""
    shutil.copytree(TESTS / "cases" / "scriptlets", project / "scriptlets")
    return project
