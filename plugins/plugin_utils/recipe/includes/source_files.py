# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a recipe consists of: its own, and those of the recipes that it includes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.includes.find_file import (
    NoFileError,
    content_of,
    find,
    project_of,
    real_path,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import read


def included(text: bytes, name: str) -> dict[str, bytes]:
    """What the recipes hold that a recipe includes, by the names of their files, in the order of its digest.

    `text` is the recipe's own file, `name` its path. An include that leads nowhere is left out. Raises RecipeErrors for
    what cannot be read as a recipe.
    """
    found: dict[str, bytes] = {}
    seen = {real_path(name)}
    _follow(text, name, project_of(name), seen, found)
    return found


def _follow(text: bytes, name: str, project: Path, seen: set[Path], found: dict[str, bytes]) -> None:
    for path in _includes(text, name):
        try:
            file = find(path, name, project)
            if file.real in seen:
                continue
            content = content_of(file, path)
        except NoFileError:
            continue
        seen.add(file.real)
        found[file.name] = content
        _follow(content, file.name, project, seen, found)


def _includes(text: bytes, name: str) -> Iterator[str]:
    steps = read(text, name).data.get("steps") or ()
    yield from (step["include"] for step in steps if isinstance(step, dict) and isinstance(step.get("include"), str))
