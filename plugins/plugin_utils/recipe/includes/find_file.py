# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the path in an include to a file of the project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.decode import read_bytes, reason, sibling
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import quoted

EXPECTED = "the path of a recipe in the project, relative to this file"


@dataclass(frozen=True, slots=True)
class IncludedFile:
    """A recipe's file: as errors name it, and where it is, whatever links lead there."""

    name: str
    real: Path


class NoFileError(ValueError):
    """A path that leads to no recipe of the project: what is wrong with it, and the one that was probably meant."""

    def __init__(self, got: str, near: str = "", expected: str = EXPECTED) -> None:
        super().__init__(got)
        self.expected = expected
        self.got = got
        self.near = near


def project_of(recipe: str) -> Path:
    """The folder that includes stay in: the current one, or that of a recipe which is elsewhere."""
    real, current = real_path(recipe), Path.cwd()
    return current if real.is_relative_to(current) else real.parent


def real_path(name: str) -> Path:
    """Where a recipe's file is, as far as its name can be followed."""
    try:
        return Path(name).resolve()
    except (OSError, ValueError, RuntimeError):
        return Path.cwd() / name


def find(path: str, including: str, project: Path) -> IncludedFile:
    """The file that `path` names in an including file; raises NoFileError."""
    folder = Path(including).parent
    name = os.path.normpath(folder / path)
    if Path(path).is_absolute():
        raise NoFileError(f"{quoted(path)}, an absolute one")
    if not Path(os.path.normpath(Path.cwd() / name)).is_relative_to(project):
        raise NoFileError(f"{quoted(path)}, which leads out of it")
    try:
        real = Path(name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        near = sibling(name)
        raise NoFileError(f"{quoted(path)}: {reason(error)}", os.path.relpath(near, folder) if near else "") from None
    if not real.is_relative_to(project):
        raise NoFileError(f"{quoted(path)}, a link that leads out of it")
    if not real.is_file():
        raise NoFileError(f"{quoted(path)}, {'a folder' if real.is_dir() else 'no ordinary file'}")
    return IncludedFile(name, real)


def content_of(file: IncludedFile, path: str) -> bytes:
    """What a file holds; raises NoFileError."""
    try:
        return read_bytes(str(file.real))
    except RecipeErrors as error:
        raise NoFileError(f"{quoted(path)}: {error.errors[0].got}") from None
