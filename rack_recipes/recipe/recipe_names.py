# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of recipes: a path, or of a recipe that the collection ships `rack.recipes.host_health`.

A shipped recipe keeps its name in records, lock files and policies, since its path differs between machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from rack_recipes.collection_path import COLLECTION
from rack_recipes.recipe.values_in_messages import closest
from rack_recipes.yaml_suffixes import SUFFIXES, either, yaml_files

PREFIX = "rack.recipes."
FOLDER = "recipes"  # of a project and of the collection
FOLDERS = (FOLDER, "orchestrator/recipes")  # of a project: the first comes first
SUFFIX = ".yml"  # of the recipes of the collection
TOP = re.compile(r"^[\"']?(test_meta|steps)[\"']?\s*:", re.MULTILINE)
WORDS = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


def resolve(word: str) -> str:
    """The recipe that a user means: the file of that path, the project's recipe of that name, or the collection's.

    What names none of these is returned as it is: reading it says what is wrong. Raises UsageError for a name of two
    files that differ in the suffix alone.
    """
    if not WORDS.fullmatch(word) or Path(word).exists():
        return word
    for folder in FOLDERS:
        own = either(Path(folder, *word.split(".")).with_suffix(SUFFIX))
        if own.is_file():
            return str(own)
    name = word if word.startswith(PREFIX) else f"{PREFIX}{word}"
    return name if is_shipped(name) else word


def file_of(name: str) -> Path:
    """The file of a recipe: of a shipped one in the collection, of any other the name itself."""
    shipped = _shipped_file(name)
    return shipped if shipped and shipped.is_file() else Path(name)


def is_shipped(name: str) -> bool:
    """Whether this is the whole name of a recipe of the collection."""
    shipped = _shipped_file(name)
    return shipped is not None and shipped.is_file()


def shipped_name(file: Path) -> str:
    """The name of a recipe's file in the collection."""
    inside = file.relative_to(COLLECTION.resolve() / FOLDER).with_suffix("")
    return PREFIX + ".".join(inside.parts)


def shipped_names() -> Iterator[str]:
    """The names of all recipes of the collection that are run by themselves, sorted."""
    return (f"{PREFIX}{path.stem}" for path in sorted((COLLECTION / FOLDER).glob(f"*{SUFFIX}")))


def stem_of(name: str) -> str:
    """A short name for files and jobs that are made of a recipe: that of its file without the ending."""
    return file_of(name).stem


def looks_like_recipe(path: Path) -> bool:
    """Whether a YAML file has the keys that every recipe has at its top: `test_meta` and `steps`."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return set(TOP.findall(text)) == {"test_meta", "steps"}


def nearest_beside(missing: Path) -> str:
    """The recipe in the folder of a missing file that was probably meant; empty for none.

    Only recipes are named, here and below: any other file may hold secrets.
    """
    return _most_like(missing.name, {str(path): path.name for path in _recipes_in(missing.parent)})


def nearest_recipe(word: str) -> str:
    """The recipe that was probably meant by a word that names none: one in its folder, or one with a name."""
    missing = Path(word)
    with suppress(OSError):  # a name may be too long for any file
        if missing.exists():
            return ""
    own = {str(path): path.stem for folder in FOLDERS for path in _recipes_in(Path(folder))}
    shipped = {name: file_of(name).stem for name in shipped_names()}
    stem = missing.name.removeprefix(PREFIX).removesuffix(missing.suffix if missing.suffix in SUFFIXES else "")
    return nearest_beside(missing) or _most_like(stem, own) or _most_like(stem, shipped)


def _most_like(word: str, known: Mapping[str, str]) -> str:
    near = closest(word, tuple(known.values()))
    return next((name for name, short in known.items() if near and short == near), "")


def _recipes_in(folder: Path) -> Iterator[Path]:
    """The recipes in a folder, sorted."""
    return filter(looks_like_recipe, yaml_files(folder))


def _shipped_file(name: str) -> Path | None:
    if not name.startswith(PREFIX) or not WORDS.fullmatch(name):
        return None
    return (COLLECTION / FOLDER / "/".join(name.removeprefix(PREFIX).split("."))).with_suffix(SUFFIX)
