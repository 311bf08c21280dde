# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contents of all files that a recipe includes, without checking them as recipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rack_recipes.recipe.includes.find_file import NoFileError, content_of, find_included, project_of, real_path
from rack_recipes.recipe.yaml.reader import read


def included(text: bytes, name: str) -> dict[str, bytes]:
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
    steps = read(text, name).data.get("steps") or ()
    yield from (step["include"] for step in steps if isinstance(step, dict) and isinstance(step.get("include"), str))
