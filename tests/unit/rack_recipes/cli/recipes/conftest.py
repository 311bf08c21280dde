# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import make_project


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)
