# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trusted folders, and the files in them that can be scriptlets."""

# A plan asks for a thousand paths, so they are text here.
# ruff: noqa: PTH113, PTH118, PTH122, PTH123, PTH206, PTH208

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.scriptlet_entry import Kind
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.trusted_files import Stamp, stamp

COLLECTION = Path(__file__).parents[3]
PUBLISHED = "rack.recipes."
KINDS: dict[str, Kind] = {".py": "python", ".sh": "shell", ".awk": "shell", ".c": "native"}
SIDECAR = ".yml"
SOURCE = ".c"
STEM = re.compile(r"(?!__)[A-Za-z0-9_-]+")
HIDDEN = (".", "__")
ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Folder:
    """A trusted folder; `prefix` begins its scriptlets' names, `inside` is where its files lie in the payload."""

    path: str
    source: Literal["project", "collection"]
    prefix: str = ""
    inside: str = "scriptlets"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that can be a scriptlet; `place` is its path in the folder, `sidecar` is empty where it has none."""

    folder: Folder
    place: str
    kind: Kind
    sidecar: str = ""

    @property
    def path(self) -> str:
        """The file."""
        return f"{self.folder.path}{os.sep}{self.place}"

    @property
    def parts(self) -> list[str]:
        """The names of its folders and its own, without the suffix."""
        return os.path.splitext(self.place)[0].split(os.sep)

    @property
    def name(self) -> str:
        """The shortest name under which a recipe finds it."""
        return self.folder.prefix + ".".join(self.parts)


SHIPPED = Folder(str(COLLECTION / "scriptlets"), "collection")
MODULES = Folder(
    str(COLLECTION / "plugins/modules"), "collection", PUBLISHED, "ansible_collections/rack/recipes/plugins/modules"
)


def is_published(module: str) -> bool:
    """Whether a name is one of the collection's own modules, for which no folder of drop-ins is looked into."""
    return module.startswith(PUBLISHED) and module.count(".") == PUBLISHED.count(".")


def drop_in_folders(folders: Sequence[Path]) -> tuple[Folder, ...]:
    """The project's folders, then the collection's own; those that do not exist are left out, no folder comes twice."""
    wanted = [Folder(str(path), "project") for path in folders]
    found: dict[Stamp, Folder] = {}
    for folder in (*wanted, SHIPPED):
        if seen := stamp(folder.path):
            found.setdefault(seen, folder)
    return tuple(found.values())


def candidates(folder: Folder, names: Sequence[str]) -> tuple[Candidate, ...]:
    """The files of `folder` that a path of names means, such as `("disk", "usage")`."""
    directory = os.path.join(folder.path, *names[:-1])
    seen = stamp(directory)
    return _by_stem(folder, directory, seen).get(names[-1], ()) if seen and STEM.fullmatch(names[-1]) else ()


def all_candidates(folder: Folder) -> Iterator[tuple[Candidate, ...]]:
    """The candidates of each name in a folder and the folders in it, hidden ones left out."""
    for directory, inner, _files in os.walk(folder.path):
        inner[:] = sorted(name for name in inner if STEM.fullmatch(name))
        by_stem = _by_stem(folder, directory, stamp(directory))
        yield from (by_stem[stem] for stem in sorted(by_stem) if STEM.fullmatch(stem))


def nameless_candidates(folder: Folder) -> Iterator[Candidate]:
    """Files that would be candidates, had they and their folders names that a recipe can write."""
    for directory, inner, _files in os.walk(folder.path):
        inner[:] = sorted(name for name in inner if not name.startswith(HIDDEN))
        found = (one for some in _by_stem(folder, directory, stamp(directory)).values() for one in some)
        yield from (one for one in found if not all(map(STEM.fullmatch, one.parts)))


@lru_cache(maxsize=1024)
def _by_stem(folder: Folder, directory: str, _seen: Stamp | None) -> dict[str, tuple[Candidate, ...]]:
    """A directory's candidates by the last part of their names, read anew whenever its stamp is another."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return {}
    found: dict[str, tuple[Candidate, ...]] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        path = os.path.join(directory, name)
        sidecar = os.path.join(directory, stem + SIDECAR) if stem + SIDECAR in names else ""
        kind = KINDS.get(suffix) or (_kind(path, suffix) if sidecar else None)
        if kind and not stem.startswith(HIDDEN):
            place = os.path.relpath(path, folder.path)
            found[stem] = (*found.get(stem, ()), Candidate(folder, place, kind, sidecar))
    return {stem: _usable(some) for stem, some in found.items()}


def _usable(found: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Those that can be run, such as a program beside its object file, or all where none can."""
    return tuple(one for one in found if is_runnable(one)) or found


def is_runnable(candidate: Candidate) -> bool:
    """Whether nothing keeps a file from being run: a program that is built already needs to be executable."""
    return candidate.kind != "native" or candidate.place.endswith(SOURCE) or os.access(candidate.path, os.X_OK)


def _kind(path: str, suffix: str) -> Kind | None:
    """A file without a known suffix: a script names its interpreter, a program may be executed, or ought to."""
    if suffix == SIDECAR or suffix.endswith("~") or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            start = file.read(len(ELF))
    except OSError:
        return None
    if start.startswith(b"#!"):
        return "shell"
    return "native" if start == ELF or os.access(path, os.X_OK) else None
