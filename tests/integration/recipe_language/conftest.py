# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A project with recipes of every feature of the language."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def features(project: Path) -> Path:
    """A project with these tests' recipes and scriptlets."""
    shutil.copytree(HERE.parent / "cases" / "scriptlets", project / "scriptlets")
    shutil.copytree(HERE / "cases", project, dirs_exist_ok=True)
    (project / "secret.json").write_text('{"password": "password-of-this-test"}')
    return project
