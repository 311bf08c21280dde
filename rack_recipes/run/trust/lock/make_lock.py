# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the lock of recipes: the digests and versions of all that they are made of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.catalog.scriptlet_files import SIDECAR, Candidate
from rack_recipes.run.stage.payload.zip_payload import files_with_imports, read
from rack_recipes.run.trust.find_ansible_module import code_of, files_below, plugin_parts
from rack_recipes.run.trust.lock.lock_model import DIGEST, LockedRecipe, LockedScriptlet, LockFile
from rack_recipes.run.trust.trust_request import TrustRequest, in_project
from rack_recipes.version import VERSION


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
    digests = {name: hashlib.sha256(read(name, path)).hexdigest() for name, path in sorted(files.items())}
    return LockedScriptlet(_origin(entry), digests)


def _merge_hook(merge: Candidate) -> LockedScriptlet:
    inside, path = f"{merge.folder.inside}/{merge.relative_path}", Path(merge.path)
    return LockedScriptlet(in_project(merge.folder.path), {inside: hashlib.sha256(read(inside, path)).hexdigest()})


def _suite(files: Mapping[str, Path]) -> LockedScriptlet:
    digests = {
        name: _digest(path) if name.startswith(os.sep) else hashlib.sha256(read(name, path)).hexdigest()
        for name, path in files.items()
    }
    return LockedScriptlet(".", digests)


def _sidecar(entry: ScriptletEntry) -> Iterator[tuple[str, Path]]:
    """Yield the sidecar of a script or a program."""
    if entry.kind != "python":
        yield str(Path(entry.inside).with_suffix(SIDECAR)), entry.path.with_suffix(SIDECAR)


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
