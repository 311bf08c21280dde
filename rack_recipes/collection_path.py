# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the collection is that belongs to this library: beside it, as one package installs both."""

from __future__ import annotations

import sys
from pathlib import Path

INSIDE = "ansible_collections/rack/recipes"


def _root() -> Path:
    """The folder of Python's path that holds both; a checkout that is the working folder holds the library alone."""
    beside = Path(__file__).parents[1]
    places = (beside, *map(Path, sys.path))
    return next((place for place in places if (place / INSIDE / "galaxy.yml").is_file()), beside)


ROOT = str(_root())  # the folder of Python's path
COLLECTION = Path(ROOT, INSIDE)
