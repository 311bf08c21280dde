# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
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
