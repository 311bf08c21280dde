# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the files that a recipe includes, which have to be inside of the project, and reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rack_recipes.collection_path import COLLECTION
from rack_recipes.errors import RecipeErrors
from rack_recipes.recipe.recipe_names import file_of, is_shipped, nearest_beside, shipped_name
from rack_recipes.recipe.values_in_messages import quoted
from rack_recipes.recipe.yaml.decode import read_bytes, reason
from rack_recipes.recipe.yaml.reader import read

EXPECTED = "the path of a recipe in the project, relative to this file"


@dataclass(frozen=True, slots=True)
class IncludedFile:
    """The file of a recipe: its name in errors, and its path with all links resolved."""

    name: str
    real: Path


class NoFileError(ValueError):
    """A path that names no recipe of the project: what is wrong with it, and the path that was probably meant."""

    def __init__(self, got: str, near: str = "", expected: str = EXPECTED) -> None:
        super().__init__(got)
        self.expected = expected
        self.got = got
        self.near = near


def project_of(recipe: str) -> Path:
    """The folder that included files have to be in: the current one, the collection, or the recipe's own elsewhere."""
    real = real_path(recipe)
    return next((folder for folder in (Path.cwd(), COLLECTION.resolve()) if real.is_relative_to(folder)), real.parent)


def real_path(name: str) -> Path:
    """The path of a recipe's file with its links resolved, as far as that is possible."""
    try:
        return file_of(name).resolve()
    except (OSError, ValueError, RuntimeError):
        return Path.cwd() / name


def find_included(path: str, including: str, project: Path) -> IncludedFile:
    """The file that `path` names in the file `including`. Raises NoFileError."""
    folder = file_of(including).parent
    name = os.path.normpath(folder / path)
    if Path(path).is_absolute():
        raise NoFileError(f"{quoted(path)}, an absolute one")
    if not Path(os.path.normpath(real_path(str(folder)) / path)).is_relative_to(project):
        raise NoFileError(f"{quoted(path)}, which leads out of it")
    try:
        real = Path(name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        near = nearest_beside(Path(name))
        raise NoFileError(f"{quoted(path)}: {reason(error)}", os.path.relpath(near, folder) if near else "") from None
    if not real.is_relative_to(project):
        raise NoFileError(f"{quoted(path)}, a link that leads out of it")
    if not real.is_file():
        raise NoFileError(f"{quoted(path)}, {'a folder' if real.is_dir() else 'no ordinary file'}")
    return IncludedFile(shipped_name(real) if is_shipped(including) else name, real)


def content_of(file: IncludedFile, path: str) -> bytes:
    """The content of a file that an include names by `path`. Raises NoFileError."""
    try:
        return read_bytes(str(file.real))
    except RecipeErrors as error:
        raise NoFileError(f"{quoted(path)}: {error.errors[0].got}") from None


def read_included_files(text: bytes, name: str) -> dict[str, bytes]:
    """The contents of the included files by their names, in the order in which the recipe's digest takes them.

    `text` is the content of the recipe's own file, `name` its path. An include whose file is not found is left out.
    Raises RecipeErrors for a file that is no YAML.
    """
    found: dict[str, bytes] = {}
    seen = {real_path(name)}
    _add_includes(text, name, project_of(name), seen, found)
    return found


def _add_includes(text: bytes, name: str, project: Path, seen: set[Path], found: dict[str, bytes]) -> None:
    for path in _include_paths(text, name):
        try:
            file = find_included(path, name, project)
            if file.real in seen:
                continue
            content = content_of(file, path)
        except NoFileError:
            continue
        seen.add(file.real)
        found[file.name] = content
        _add_includes(content, file.name, project, seen, found)


def _include_paths(text: bytes, name: str) -> Iterator[str]:
    data = read(text, name).data
    steps, limits = data.get("steps") or (), data.get("limits")
    yield from (step["include"] for step in steps if isinstance(step, dict) and isinstance(step.get("include"), str))
    yield from [limits] if isinstance(limits, str) else []
