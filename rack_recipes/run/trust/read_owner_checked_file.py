# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the files that decide what is allowed, the policy and the lock file."""

from __future__ import annotations

import os
from pathlib import Path

from rack_recipes.errors import CatalogError, RecipeErrors, TrustError
from rack_recipes.recipe.catalog.trusted_files import Owners, check_owner
from rack_recipes.recipe.yaml.reader import Document, read


def read_guarded(path: Path, owners: Owners, expected: str) -> Document:
    """Return the mapping in a YAML or JSON file that only its owner can change; the owner is one of `owners` or root.

    `expected` describes the mapping in error messages. Raises TrustError; for invalid YAML it names the position.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            check_owner(str(path), file.fileno(), owners | {0})
            return read(file.read(), str(path), expected)
    except OSError as error:
        raise TrustError(f"{path}: cannot be read: {error.strerror}") from error
    except (CatalogError, RecipeErrors) as error:
        raise TrustError(str(error)) from error
