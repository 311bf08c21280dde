# SPDX-License-Identifier: GPL-3.0-or-later

"""The trusted folders, and the files in them that may be scriptlets or merge hooks."""

# Paths are plain strings here because a plan looks up a thousand of them.
# ruff: noqa: PTH113, PTH118, PTH122, PTH123, PTH206, PTH208

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from rack_recipes.collection_path import COLLECTION
from rack_recipes.errors import CatalogError
from rack_recipes.recipe.scriptlet_entry import Kind
from rack_recipes.recipe.trusted_files import Stamp, read_trusted, stamp
from rack_recipes.yaml_suffixes import SUFFIXES

PUBLISHED = "rack.recipes."
KINDS: dict[str, Kind] = {".py": "python", ".sh": "shell", ".awk": "shell", ".c": "native"}
SOURCE = ".c"
STEM = re.compile(r"(?!__)[A-Za-z0-9_-]+")
HIDDEN = (".", "__")
ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Folder:
    """A trusted folder.

    `prefix` stands before the names of its scriptlets. `inside` is the folder of its files in the payload.
    """

    path: str
    source: Literal["project", "collection"]
    prefix: str = ""
    inside: str = "scriptlets"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a scriptlet.

    `relative_path` is its path in the folder. `sidecar` is the path of its YAML file, empty if it has none; of two that
    differ in the suffix alone it is the first.
    """

    folder: Folder
    relative_path: str
    kind: Kind
    sidecar: str = ""

    @property
    def path(self) -> str:
        """The path of the file."""
        return f"{self.folder.path}{os.sep}{self.relative_path}"

    @property
    def parts(self) -> list[str]:
        """The parts of its relative path, without the suffix."""
        return os.path.splitext(self.relative_path)[0].split(os.sep)

    @property
    def name(self) -> str:
        """The shortest name by which a recipe finds it."""
        return self.folder.prefix + ".".join(self.parts)


SHIPPED = Folder(str(COLLECTION / "scriptlets"), "collection")
MODULES = Folder(
    str(COLLECTION / "plugins/modules"), "collection", PUBLISHED, "ansible_collections/rack/recipes/plugins/modules"
)


def is_published(module: str) -> bool:
    """Whether a name means a module of the collection, which is not looked for in folders of drop-ins."""
    return module.startswith(PUBLISHED) and module.count(".") == PUBLISHED.count(".")


def drop_in_folders(folders: Sequence[Path]) -> tuple[Folder, ...]:
    """Return the project's folders, then the collection's own: each existing folder once."""
    wanted = [Folder(str(path), "project") for path in folders]
    found: dict[Stamp, Folder] = {}
    for folder in (*wanted, SHIPPED):
        if seen := stamp(folder.path):
            found.setdefault(seen, folder)
    return tuple(found.values())


def find_candidates(folder: Folder, names: Sequence[str]) -> tuple[Candidate, ...]:
    """Return the files in `folder` that names such as `("disk", "usage")` mean."""
    directory = os.path.join(folder.path, *names[:-1])
    seen = stamp(directory)
    return _by_stem(folder, directory, seen).get(names[-1], ()) if seen and STEM.fullmatch(names[-1]) else ()


def all_candidates(folder: Folder) -> Iterator[tuple[Candidate, ...]]:
    """Yield the candidates of each name in a folder and its subfolders, without hidden ones."""
    for directory, inner, _files in os.walk(folder.path):
        inner[:] = sorted(name for name in inner if STEM.fullmatch(name))
        by_stem = _by_stem(folder, directory, stamp(directory))
        yield from (by_stem[stem] for stem in sorted(by_stem) if STEM.fullmatch(stem))


def misnamed_candidates(folder: Folder) -> Iterator[Candidate]:
    """Yield files that are no candidates only because a recipe cannot write their name or that of their folder."""
    for directory, inner, _files in os.walk(folder.path):
        inner[:] = sorted(name for name in inner if not name.startswith(HIDDEN))
        found = (one for some in _by_stem(folder, directory, stamp(directory)).values() for one in some)
        yield from (one for one in found if not all(map(STEM.fullmatch, one.parts)))


@lru_cache(maxsize=1024)
def _by_stem(folder: Folder, directory: str, _seen: Stamp | None) -> dict[str, tuple[Candidate, ...]]:
    """Return the candidates in a directory by the last part of their names.

    A directory that has changed has another stamp, so it is not answered from the cache.
    """
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return {}
    found: dict[str, tuple[Candidate, ...]] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        path = os.path.join(directory, name)
        beside = next((stem + each for each in SUFFIXES if stem + each in names), "")
        sidecar = os.path.join(directory, beside) if beside else ""
        kind = KINDS.get(suffix) or (_kind_without_suffix(path, suffix) if sidecar else None)
        if kind and not stem.startswith(HIDDEN):
            relative_path = os.path.relpath(path, folder.path)
            found[stem] = (*found.get(stem, ()), Candidate(folder, relative_path, kind, sidecar))
    return {stem: _prefer_runnable(some) for stem, some in found.items()}


def _prefer_runnable(found: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Return those that can be run, or all if none can: a program is taken, its object file beside it is not."""
    return tuple(one for one in found if is_runnable(one)) or found


def is_runnable(candidate: Candidate) -> bool:
    """Whether a file can be run: a compiled program must be executable."""
    return candidate.kind != "native" or candidate.relative_path.endswith(SOURCE) or os.access(candidate.path, os.X_OK)


def _kind_without_suffix(path: str, suffix: str) -> Kind | None:
    """Return the kind of a file without a known suffix, None if it is no scriptlet.

    A script begins with `#!`. A program is an ELF file or is executable.
    """
    if suffix in SUFFIXES or suffix.endswith("~") or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            start = file.read(len(ELF))
    except OSError:
        return None
    if start.startswith(b"#!"):
        return "shell"
    return "native" if start == ELF or os.access(path, os.X_OK) else None


def find_merge_hook(name: str, folders: Sequence[Path]) -> tuple[str, bytes]:
    """Return the path and the content of a hook's file. Raises CatalogError if it is missing or not trusted."""
    trusted = drop_in_folders(folders)
    for folder in trusted:
        for candidate in find_candidates(folder, name.split(".")):
            if candidate.kind == "python":
                return candidate.path, read_trusted(folder.path, candidate.relative_path)
    places = ", ".join(folder.path for folder in trusted)
    raise CatalogError(f"no merge hook {name!r}: there is no {name.replace('.', '/')}.py in {places}")
