# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the file of a merge hook: a Python file in a trusted folder of drop-ins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.scriptlet_files import drop_in_folders, find_candidates
from rack_recipes.recipe.catalog.trusted_files import read_trusted


def find_merge_hook(name: str, folders: Sequence[Path]) -> tuple[str, bytes]:
    """Return the path and the content of a hook's file. Raises CatalogError if it is missing or not trusted."""
    trusted = drop_in_folders(folders)
    for folder in trusted:
        for candidate in find_candidates(folder, name.split(".")):
            if candidate.kind == "python":
                return candidate.path, read_trusted(folder.path, candidate.relative_path)
    places = ", ".join(folder.path for folder in trusted)
    raise CatalogError(f"no merge hook {name!r}: there is no {name.replace('.', '/')}.py in {places}")
