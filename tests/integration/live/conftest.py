# SPDX-License-Identifier: GPL-3.0-or-later

"""A project with scriptlets for the live bus."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def talkers(project: Path) -> Path:
    """A project with the scriptlets of these tests."""
    shutil.copytree(Path(__file__).parent / "cases" / "scriptlets", project / "scriptlets")
    return project
