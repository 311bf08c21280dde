# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of a lock file, and how the project's current content differs from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NAME = "rack-recipes.lock"
VERSION = 1
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


def _differences_of_kind(kind: str, locked: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[Difference]:
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
