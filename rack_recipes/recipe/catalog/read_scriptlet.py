# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the catalog's entry of a scriptlet from its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from typing import Any

from rack_recipes.errors import CatalogError, nearest
from rack_recipes.recipe.catalog.files_shadowing_folders import SUFFIX, hiding_file
from rack_recipes.recipe.catalog.python_classes import ScriptletClass, read_python
from rack_recipes.recipe.catalog.scriptlet_entry import Kind, ScriptletEntry
from rack_recipes.recipe.catalog.scriptlet_files import SIDECAR, Candidate, is_runnable
from rack_recipes.recipe.catalog.sidecar import read_sidecar
from rack_recipes.recipe.catalog.trusted_files import Stamp, check_trusted, read_checked


def entry_of(candidate: Candidate, function: str) -> ScriptletEntry:
    """Return the entry of a scriptlet. Raises CatalogError if the file is not trusted or declares something wrong.

    `function` is the name of the class, empty if the recipe names none.
    """
    return READERS[candidate.kind](candidate, function, _stamp_if_trusted(candidate, candidate.relative_path))


def functions_of(candidate: Candidate) -> list[str]:
    """Return the names that a recipe may give as `function`, an empty list for a helper file.

    A Python file without a scriptlet class is a helper. So is a script that has neither a sidecar nor a first line
    beginning with `#!`. A C source never is: it is sent without other files.
    """
    if candidate.kind != "python":
        return [""] if candidate.sidecar or candidate.kind == "native" or _names_interpreter(candidate) else []
    classes, _digest = _read_classes(candidate.path, _stamp_if_trusted(candidate, candidate.relative_path))
    return [known.name for known in classes if not known.name.startswith("_")]


def _names_interpreter(candidate: Candidate) -> bool:
    return read_checked(candidate.path, _stamp_if_trusted(candidate, candidate.relative_path)).startswith(b"#!")


def _stamp_if_trusted(candidate: Candidate, relative_path: str) -> Stamp:
    """Return the stamp of a trusted file. Raises CatalogError.

    Files of the collection are checked less strictly: who can change them can change this program, too.
    """
    return check_trusted(candidate.folder.path, relative_path, strict=candidate.folder.source == "project")


def _python_entry(candidate: Candidate, function: str, seen: Stamp) -> ScriptletEntry:
    if file := hiding_file(candidate.folder.path, candidate.relative_path):
        raise CatalogError(f"{file} hides the folder {file.removesuffix(SUFFIX)}: rename one of them")
    classes, digest = _read_classes(candidate.path, seen)
    chosen = _class(candidate, classes, function)
    return _entry(candidate, digest, {"description": chosen.description, **chosen.declared}, chosen.name)


def _class(candidate: Candidate, classes: Sequence[ScriptletClass], function: str) -> ScriptletClass:
    public = [known.name for known in classes if not known.name.startswith("_")]
    wanted = function or (public[0] if len(public) == 1 else "")
    chosen = next((known for known in classes if known.name == wanted), None)
    if chosen:
        return chosen
    if not public:
        cure = "derive one from Scriptlet, or mark it with @register_scriptlet"
        raise CatalogError(f"{candidate.path} has no scriptlet class: {cure}")
    problem = (
        f"no scriptlet class {function!r}, but" if function else "several scriptlet classes, name one as function:"
    )
    near = nearest(function, public)
    hint = f" (did you mean {near!r}?)" if near else ""
    raise CatalogError(f"{candidate.path} has {problem} {', '.join(public)}{hint}")


def _sidecar_entry(candidate: Candidate, function: str, seen: Stamp) -> ScriptletEntry:
    if function:
        raise CatalogError(f"{candidate.path} has no class {function!r}: only a Python scriptlet has a function")
    if not candidate.sidecar:
        beside = Path(candidate.path).with_suffix(SIDECAR).name
        raise CatalogError(f"{candidate.path} has no {beside} beside it, to give its description, options and writes")
    if not is_runnable(candidate):
        raise CatalogError(f"{candidate.path} is not executable: chmod +x {candidate.path}")
    stamps = seen, _stamp_if_trusted(candidate, str(Path(candidate.relative_path).with_suffix(SIDECAR)))
    declared, digest = _read_with_sidecar(candidate.path, candidate.sidecar, stamps)
    return _entry(candidate, digest, declared)


def _entry(candidate: Candidate, digest: str, declared: Mapping[str, Any], function: str = "") -> ScriptletEntry:
    folder, reads, writes = candidate.folder, declared.get("reads"), declared.get("writes", ())
    needs = declared.get("needs")
    return ScriptletEntry(
        name=candidate.name,
        kind=candidate.kind,
        path=Path(candidate.path),
        inside=f"{folder.inside}/{candidate.relative_path}",
        source=folder.source,
        description=declared.get("description", ""),
        function=function,
        options=declared.get("options"),
        reads=None if reads is None else tuple(reads),
        writes=tuple(writes),
        digest=digest,
        flags=tuple(declared.get("flags", ())),
        scope=declared.get("scope", "host"),
        reads_results=declared.get("reads_results", False),
        reads_history=tuple(declared.get("reads_history", ())),
        live=declared.get("live", False),
        deprecated=declared.get("deprecated", "").strip(),
        holds=writes if isinstance(writes, dict) else {},
        needs=None if needs is None else tuple(needs),
        verdicts=declared.get("verdicts", {}),
        example=dedent(declared.get("example", "")).strip(),
    )


READERS: dict[Kind, Callable[[Candidate, str, Stamp], ScriptletEntry]] = {
    "python": _python_entry,
    "shell": _sidecar_entry,
    "native": _sidecar_entry,
}


@lru_cache(maxsize=4096)
def _read_classes(path: str, seen: Stamp) -> tuple[tuple[ScriptletClass, ...], str]:
    code = read_checked(path, seen)
    return read_python(code, path), _digest(code)


@lru_cache(maxsize=4096)
def _read_with_sidecar(path: str, sidecar: str, seen: tuple[Stamp, Stamp]) -> tuple[Mapping[str, Any], str]:
    code, beside = read_checked(path, seen[0]), read_checked(sidecar, seen[1])
    _check_first_line(path, code)
    return read_sidecar(beside, sidecar), _digest(code, beside)


def _digest(*parts: bytes) -> str:
    whole = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return f"sha256:{sha256(whole).hexdigest()}"


def _check_first_line(path: str, code: bytes) -> None:
    """Raise CatalogError for Windows line ends: they become a part of the interpreter's name."""
    first = code.partition(b"\n")[0]
    if first.startswith(b"#!") and first.endswith(b"\r"):
        raise CatalogError(f"{path}:1:1: expected Unix line ends, got those of Windows")
