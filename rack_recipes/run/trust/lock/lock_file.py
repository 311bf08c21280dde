# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and writes the lock file. It is sorted JSON, so that version control shows what has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rack_recipes.errors import Place, RecipeError, TrustError
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.recipe.yaml.values_in_messages import shown
from rack_recipes.run.trust.lock.lock_model import NAME, VERSION, LockedRecipe, LockedScriptlet, LockFile
from rack_recipes.run.trust.read_owner_checked_file import read_guarded

CURE = "rack-recipes lock RECIPE makes it anew"
PARTS: Mapping[str, Callable[[Any], Any]] = {
    "recipes": lambda value: LockedRecipe(**value),
    "scriptlets": lambda value: LockedScriptlet(**value),
    "modules": str,
    "plugins": str,
}
WORDS = {"modules": "its version", "plugins": "its SHA-256"}
SHAPES = {"recipes": {"digest": str, "files": dict}, "scriptlets": {"origin": str, "files": dict}}


def write_lock(lock: LockFile) -> Path:
    """Replace the project's lock file in one step and return its path. Raises OSError."""
    target = Path(NAME)
    text = json.dumps({"version": VERSION, **asdict(lock)}, indent=2, sort_keys=True, ensure_ascii=False)
    partial = Path(f".{NAME}.{os.getpid()}")
    partial.write_text(f"{text}\n", encoding="utf-8")
    partial.replace(target)
    return target


def has_lock() -> bool:
    """Whether the project has a lock file."""
    return Path(NAME).exists()


def read_lock() -> LockFile:
    """Return the content of the lock file. Raises TrustError if there is none, or it is not trusted or not valid."""
    path = Path(NAME)
    if not path.exists():
        raise TrustError(f"there is no {NAME} in {Path.cwd()}: rack-recipes lock RECIPE makes one")
    owners = frozenset((os.geteuid(), Path.cwd().stat().st_uid))
    document = read_guarded(path, owners, "a mapping with version, recipes, scriptlets and modules")
    problem = next(_problems(document), None)
    if problem:
        raise TrustError(f"{problem}; {CURE}")
    return LockFile(
        **{name: {key: make(value) for key, value in _part(document, name).items()} for name, make in PARTS.items()}
    )


def _problems(document: Document) -> Iterator[RecipeError]:
    data = document.data
    place = Place(NAME)
    if data.get("version") != VERSION:
        yield RecipeError(place, f"version {VERSION}, which this rack-recipes knows", shown(data.get("version")))
    for name in PARTS:
        part = _part(document, name)
        if not isinstance(part, dict):
            yield RecipeError(place, f"a mapping {name}", shown(part))
            return
        for key, value in part.items():
            if not _is_shaped(name, value):
                words = WORDS.get(name) or f"a mapping with {' and '.join(SHAPES[name])}"
                yield RecipeError(document.places[name, key], words, shown(value))


def _part(document: Document, name: str) -> Any:
    """A part of the lock file. One of an earlier rack-recipes has no plugins."""
    return document.data.get(name, {} if name == "plugins" else None)


def _is_shaped(name: str, value: Any) -> bool:
    if name not in SHAPES:
        return isinstance(value, str)
    shape = SHAPES[name]
    if not isinstance(value, dict) or value.keys() != shape.keys():
        return False
    of_kind = all(isinstance(value[key], kind) for key, kind in shape.items())
    return of_kind and all(isinstance(digest, str) for digest in value["files"].values())
