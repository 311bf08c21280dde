# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the scriptlet that a recipe names as `module`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from rack_recipes.errors import CatalogError, nearest
from rack_recipes.recipe.catalog.read_scriptlet import entry_of, functions_of
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.catalog.scriptlet_files import (
    MODULES,
    PUBLISHED,
    SHIPPED,
    STEM,
    Candidate,
    Folder,
    all_candidates,
    drop_in_folders,
    find_candidates,
    is_published,
    misnamed_candidates,
)
from rack_recipes.settings import Settings

SUFFIX = re.compile(r"\.(py|sh|awk|c)$")
MODULE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
DEFAULT_FOLDERS = tuple(map(Path, Settings().scriptlets))
FULL_NAME_PARTS = 3  # namespace, collection, module
OF_ANSIBLE = " (a step with a module of Ansible's has type: ansible)"


def find(module: str, function: str, kind: str, folders: Sequence[Path] = DEFAULT_FOLDERS) -> ScriptletEntry:
    """Return the scriptlet that a step names. Raises CatalogError.

    `kind` is the step's type. `folders` are the project's trusted folders of drop-ins; the collection's own folder
    comes after them. If several tails of `module` name a file, the longest tail wins, then the first folder.
    """
    if not MODULE.fullmatch(module):
        raise CatalogError(
            f"expected a dotted name such as steps.compute_numbers, got {module!r}{_hint(module, folders)}"
        )
    found = _search(module, drop_in_folders(folders))
    if not found:
        raise CatalogError(f"no scriptlet {module!r} {_searched_folders(module, folders)}{_hint(module, folders)}")
    return entry_of(_choose(found, kind), function)


def list_all(folders: Sequence[Path] = DEFAULT_FOLDERS) -> tuple[ScriptletEntry, ...]:
    """Return every scriptlet that a recipe can name, sorted by name. Unusable files are among the `load_errors`."""
    return tuple(
        sorted(
            (item for item in _load_all(folders) if isinstance(item, ScriptletEntry)),
            key=attrgetter("name", "function"),
        )
    )


def load_errors(folders: Sequence[Path] = DEFAULT_FOLDERS) -> tuple[CatalogError, ...]:
    """Return why files in the trusted folders are missing in what `list_all` returns."""
    unread = (item for item in _load_all(folders) if isinstance(item, CatalogError))
    return (*unread, *(error for folder in drop_in_folders(folders) for error in _misnamed(folder)))


def _search(module: str, folders: Sequence[Folder]) -> tuple[Candidate, ...]:
    parts = module.split(".")
    if is_published(module):
        return find_candidates(MODULES, parts[-1:])
    tails = (parts[start:] for start in range(len(parts)))
    found = (find_candidates(folder, tail) for tail in tails for folder in folders)
    return next((some for some in found if some), ())


def _choose(found: Sequence[Candidate], kind: str) -> Candidate:
    """Return the candidate of the step's type. Raises CatalogError if there is none or more than one."""
    fitting = [candidate for candidate in found if candidate.kind == kind]
    if len(fitting) > 1:
        both = " and ".join(candidate.path for candidate in fitting)
        raise CatalogError(f"{fitting[0].name} is ambiguous, it names {both}: rename one of them")
    if not fitting:
        known = " and ".join(f"{candidate.path} (type: {candidate.kind})" for candidate in found)
        raise CatalogError(f"{found[0].name} has no scriptlet of type {kind}, but {known}")
    return fitting[0]


def _load_all(folders: Sequence[Path]) -> Iterator[ScriptletEntry | CatalogError]:
    """Yield every scriptlet in the folders, and an error for each unusable file.

    A folder hides equal names in later ones.
    """
    seen: set[str] = set()
    for folder in (*drop_in_folders(folders), MODULES):
        for found in all_candidates(folder):
            if found[0].name not in seen or folder is MODULES:
                seen.add(found[0].name)
                yield from _entries_of_name(found)


def _misnamed(folder: Folder) -> Iterator[CatalogError]:
    """Yield an error for each scriptlet whose file or folder has a name that a recipe cannot write."""
    for candidate in misnamed_candidates(folder):
        with suppress(CatalogError):  # an unreadable file may not be meant as a scriptlet
            if functions_of(candidate):
                odd = ", ".join(repr(part) for part in candidate.parts if not STEM.fullmatch(part))
                yield CatalogError(
                    f"{candidate.path}: expected a name of ASCII letters, digits, '_' and '-', got {odd}"
                )


def _entries_of_name(found: Sequence[Candidate]) -> Iterator[ScriptletEntry | CatalogError]:
    """Yield an entry for each kind among files of one name, and for each class of a Python file."""
    for kind in dict.fromkeys(candidate.kind for candidate in found):
        try:
            chosen = _choose(found, kind)
            yield from _entries(chosen)
        except CatalogError as error:
            yield error


def _entries(candidate: Candidate) -> list[ScriptletEntry]:
    """Return one entry for each class of a Python file, one for any other file, none for a helper.

    Raises CatalogError.
    """
    functions = functions_of(candidate)
    if functions and is_published(candidate.name) and candidate.folder is not MODULES:
        raise CatalogError(f"{candidate.path}: what begins with {PUBLISHED} is looked up in the collection: move it")
    return [entry_of(candidate, name) for name in functions]


def _searched_folders(module: str, folders: Sequence[Path]) -> str:
    if is_published(module):
        return f"among the modules of {PUBLISHED.rstrip('.')}"
    unset = DEFAULT_FOLDERS[1:]  # nobody asked for these, so their absence is no hint
    told = [path for path in folders if path.is_dir() or path not in unset]
    places = [f"{path}{'' if path.is_dir() else ' (which does not exist)'}" for path in told]
    return f"in {', '.join([*places, SHIPPED.path])}, under any tail of its name"


def _hint(module: str, folders: Sequence[Path]) -> str:
    """Return a hint with the name that is nearest to any tail of `module`, or an empty string."""
    if module.startswith("ansible."):
        return OF_ANSIBLE
    names = [found[0].name for folder in (*drop_in_folders(folders), MODULES) for found in all_candidates(folder)]
    parts = SUFFIX.sub("", module).strip("./").replace("/", ".").split(".")
    tails = [".".join(parts[start:]) for start in range(len(parts))]
    near = [(tail, name) for tail in tails for name in [nearest(tail, names)] if name]
    best = max(near, key=lambda pair: difflib.SequenceMatcher(None, *pair).ratio(), default=None)
    if best:
        return f" (did you mean {best[1]!r}?)"
    return OF_ANSIBLE if len(parts) == FULL_NAME_PARTS else ""
