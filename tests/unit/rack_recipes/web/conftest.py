# SPDX-License-Identifier: GPL-3.0-or-later

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import ServedSite


@pytest.fixture
def served(project: Path) -> Iterator[ServedSite]:
    """The pages of an empty project."""
    with ServedSite() as served:
        yield served
