# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file: how it is made, written and read, and how the project's content differs from it.

It is sorted JSON, so that version control shows what has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rack_recipes.errors import CatalogError, Place, RecipeError, TrustError
from rack_recipes.recipe.catalog.scriptlet_files import Candidate
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.values_in_messages import shown
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.run.host.zip_payload import files_with_imports, read_payload_file
from rack_recipes.run.trust.find_ansible_module import code_of, files_below, plugin_parts
from rack_recipes.run.trust.read_policy_file import read_guarded
from rack_recipes.run.trust.trust_request import TrustRequest, in_project
from rack_recipes.version import VERSION
from rack_recipes.yaml_suffixes import SUFFIXES, either

LOCK_FILE_NAME = "rack-recipes.lock"
LOCK_FILE_VERSION = 1
DIGEST = "sha256:"  # marks a digest in an origin, where a version may stand instead
Digests = Mapping[str, str]  # a file -> its SHA-256 in hex


@dataclass(frozen=True, slots=True)
class LockedRecipe:
    """A recipe: the digest of all of it, and the digests of its files. A compiled playbook does not know the files."""

    digest: str
    files: Digests = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LockedScriptlet:
    """A scriptlet: the digests of its files, and its origin.

    The origin is a folder of the project or the collection's version.
    """

    origin: str
    files: Digests


@dataclass(frozen=True, slots=True)
class LockFile:
    """Recipes by their paths in the project, scriptlets by name and type, Ansible modules by name with their origin.

    `plugins` has the SHA-256 of what else Ansible loads from the project, by its path.
    """

    recipes: Mapping[str, LockedRecipe] = field(default_factory=dict)
    scriptlets: Mapping[str, LockedScriptlet] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    plugins: Digests = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """A recipe, scriptlet, module or plugin that differs from the lock file; `detail` names the files that differ."""

    kind: str
    name: str
    how: Literal["changed", "new", "gone"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {HOW[self.how]}{f': {self.detail}' if self.detail else ''}"


HOW = {"changed": "has changed", "new": "is not locked", "gone": "is locked, and not here any more"}


def differences(locked: LockFile, current: LockFile) -> Iterator[Difference]:
    """Yield the differences between the lock file and the current content of the project."""
    for kind in DETAILS:
        yield from _differences_of_kind(kind, getattr(locked, f"{kind}s"), getattr(current, f"{kind}s"))


def _differences_of_kind(
    kind: str, locked: Mapping[str, object], current: Mapping[str, object]
) -> Iterator[Difference]:
    for name in sorted(locked.keys() | current.keys()):
        if name not in locked:
            yield Difference(kind, name, "new")
        elif name not in current:
            yield Difference(kind, name, "gone")
        elif detail := DETAILS[kind](locked[name], current[name]):
            yield Difference(kind, name, "changed", detail)


def _recipe_detail(locked: LockedRecipe, current: LockedRecipe) -> str:
    if locked.digest == current.digest:
        return ""
    return _files(locked.files, current.files) if current.files else "what it was compiled from"


def _scriptlet_detail(locked: LockedScriptlet, current: LockedScriptlet) -> str:
    moved = f"it comes from {current.origin}, not from {locked.origin}" if current.origin != locked.origin else ""
    return ", ".join(filter(None, (moved, _files(locked.files, current.files))))


def _module_detail(locked: str, current: str) -> str:
    if locked == current:
        return ""
    (was, old), (now, new) = _split_origin(locked), _split_origin(current)
    return ", ".join(filter(None, (f"it is of {now}, not of {was}" if now != was else "", _files(old, new))))


def _split_origin(origin: str) -> tuple[str, Digests]:
    """Split a module's origin into its packages and the digests of the files that belong to no package."""
    parts = [part.partition(f" {DIGEST}") for part in origin.split(", ")]
    return ", ".join(name for name, is_digest, _digest in parts if not is_digest), {
        name: digest for name, is_digest, digest in parts if is_digest
    }


def _files(locked: Digests, current: Digests) -> str:
    return ", ".join(name for name in sorted(locked.keys() | current.keys()) if locked.get(name) != current.get(name))


DETAILS: Mapping[str, Callable[[Any, Any], str]] = {
    "recipe": _recipe_detail,
    "scriptlet": _scriptlet_detail,
    "module": _module_detail,
    "plugin": lambda locked, current: "what is in it" if locked != current else "",
}
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
    target = Path(LOCK_FILE_NAME)
    text = json.dumps({"version": LOCK_FILE_VERSION, **asdict(lock)}, indent=2, sort_keys=True, ensure_ascii=False)
    partial = Path(f".{LOCK_FILE_NAME}.{os.getpid()}")
    partial.write_text(f"{text}\n", encoding="utf-8")
    partial.replace(target)
    return target


def has_lock() -> bool:
    """Whether the project has a lock file."""
    return Path(LOCK_FILE_NAME).exists()


def read_lock() -> LockFile:
    """Return the content of the lock file. Raises TrustError if there is none, or it is not trusted or not valid."""
    path = Path(LOCK_FILE_NAME)
    if not path.exists():
        raise TrustError(f"there is no {LOCK_FILE_NAME} in {Path.cwd()}: rack-recipes lock RECIPE makes one")
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
    place = Place(LOCK_FILE_NAME)
    if data.get("version") != LOCK_FILE_VERSION:
        yield RecipeError(
            place, f"version {LOCK_FILE_VERSION}, which this rack-recipes knows", shown(data.get("version"))
        )
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


def _is_shaped(name: str, value: object) -> bool:
    if name not in SHAPES:
        return isinstance(value, str)
    shape = SHAPES[name]
    if not isinstance(value, dict) or value.keys() != shape.keys():
        return False
    of_kind = all(isinstance(value[key], kind) for key, kind in shape.items())
    return of_kind and all(isinstance(digest, str) for digest in value["files"].values())


def lock_of(requests: Iterable[TrustRequest]) -> LockFile:
    """Return the lock of all that these requests use. Raises CatalogError for a file that cannot be read or trusted."""
    known = [*requests]
    return LockFile(
        recipes={
            in_project(each.recipe): LockedRecipe(
                each.digest, {in_project(file): digest for file, digest in sorted(each.files.items())}
            )
            for each in known
        },
        scriptlets={
            **{name_of(entry): _scriptlet(entry) for each in known for entry in each.entries},
            **{f"{merge.name} (merge hook)": _merge_hook(merge) for each in known for merge in each.merges},
            **{name: _suite(files) for each in known for name, files in each.suites.items()},
        },
        modules={module: origin_of(module) for each in known for module in each.modules},
        plugins={in_project(str(part)): _digest(part) for part in plugin_parts()},
    )


def name_of(entry: ScriptletEntry) -> str:
    """Return the name by which the lock file lists a scriptlet."""
    return f"{entry.name} ({entry.kind})"


def _scriptlet(entry: ScriptletEntry) -> LockedScriptlet:
    files = {**files_with_imports(entry.inside, entry.path), **dict(_sidecar(entry))}
    digests = {name: hashlib.sha256(read_payload_file(name, path)).hexdigest() for name, path in sorted(files.items())}
    return LockedScriptlet(_origin(entry), digests)


def _merge_hook(merge: Candidate) -> LockedScriptlet:
    inside, path = f"{merge.folder.inside}/{merge.relative_path}", Path(merge.path)
    return LockedScriptlet(
        in_project(merge.folder.path), {inside: hashlib.sha256(read_payload_file(inside, path)).hexdigest()}
    )


def _suite(files: Mapping[str, Path]) -> LockedScriptlet:
    digests = {
        name: _digest(path) if name.startswith(os.sep) else hashlib.sha256(read_payload_file(name, path)).hexdigest()
        for name, path in files.items()
    }
    return LockedScriptlet(".", digests)


def _sidecar(entry: ScriptletEntry) -> Iterator[tuple[str, Path]]:
    """Yield the sidecar of a script or a program."""
    if entry.kind != "python":
        beside = either(entry.path.with_suffix(SUFFIXES[0]))
        yield str(Path(entry.inside).with_name(beside.name)), beside


def _origin(entry: ScriptletEntry) -> str:
    if entry.source == "collection":
        return f"rack.recipes {VERSION}"
    return in_project(str(entry.path.parents[entry.inside.count("/") - 1]))


def origin_of(module: str) -> str:
    """Return the packages of an Ansible module, and the digests of its files that belong to none.

    Raises CatalogError.
    """
    code = code_of(module)
    return ", ".join([*code.packages, *(f"{in_project(str(part))} {DIGEST}{_digest(part)}" for part in code.parts)])


def _digest(part: Path) -> str:
    """Return the digest of a file, or of a folder with all files in it."""
    try:
        if not part.is_dir():
            return hashlib.sha256(part.read_bytes()).hexdigest()
        digest = hashlib.sha256()
        for path in files_below(part):
            digest.update(f"{path.relative_to(part)} {_digest(path)}\n".encode())
        return digest.hexdigest()
    except OSError as error:
        raise CatalogError(f"{error.filename or part}: cannot be read: {error.strerror}") from error
