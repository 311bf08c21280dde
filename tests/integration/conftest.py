# SPDX-License-Identifier: GPL-3.0-or-later

"""A browser for the tests of pages and reports, and a project with the recipes that we ship."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from virtual_racks import copy_recipes

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium that shows no window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def own_recipes(project: Path) -> Path:
    """A project with our recipes and scriptlets, which is also the working folder."""
    copy_recipes(project)
    return project
