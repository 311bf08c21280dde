# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of the project a relative `src` means: one file, or with a slash at its end all files of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.trusted_files import PROJECT, check_trusted

MOST_FILES = 1000
MIB = 1 << 20
MOST_BYTES = 32 * MIB  # of all files of a folder: they travel with each stage that needs them
CACHES = "__pycache__"


def is_there(src: str) -> bool:
    """Whether the project has the file, or the folder, that `src` names."""
    try:
        return Path(src).is_dir() if src.endswith("/") else Path(src).is_file()
    except (OSError, ValueError):  # the name is too long, or no valid one
        return False


def source_files(src: str) -> list[str]:
    """The paths of the files in the project, sorted. Hidden files and Python's caches are left out of a folder.

    Raises CatalogError where a link leads out of the project, where other users can change a file, and for a folder
    that has no file or too much in it.
    """
    found = sorted(_below(src)) if src.endswith("/") else [Path(src).as_posix()]
    if not found:
        raise CatalogError(f"{src}: there is no file in this folder (hidden ones are not sent)")
    if len(found) > MOST_FILES:
        raise CatalogError(f"{src}: it has more than {MOST_FILES} files, the most that a step can send")
    for path in found:
        check_trusted(PROJECT, path, strict=False)
    size = sum(Path(path).stat().st_size for path in found) if src.endswith("/") else 0
    if size > MOST_BYTES:
        raise CatalogError(f"{src}: it has {size // MIB} MiB, more than the {MOST_BYTES // MIB} that a step can send")
    return found


def _below(src: str) -> Iterator[str]:
    """The files below a folder; one more than allowed at most, so that the whole disk is not walked through."""
    count = 0
    for folder, folders, names in os.walk(src):
        folders[:] = [name for name in folders if not name.startswith(".") and name != CACHES]
        for name in names:
            if not name.startswith("."):
                yield Path(folder, name).as_posix()
                count += 1
        if count > MOST_FILES:
            return
