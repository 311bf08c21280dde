# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects for sweeps."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def swept(project: Path) -> Path:
    """A project with the scriptlets of the sweeps."""
    shutil.copytree(Path(__file__).parents[1] / "cases" / "scriptlets", project / "scriptlets")
    return project
