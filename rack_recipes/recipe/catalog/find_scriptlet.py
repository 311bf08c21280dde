# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the scriptlet or Ansible module that a recipe names as `module`, and makes its entry in the catalog."""

# Paths are plain strings here because a plan looks up a thousand of them.
# ruff: noqa: PTH118, PTH206

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import sha256
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from textwrap import dedent
from typing import Any

from rack_recipes.errors import CatalogError, nearest
from rack_recipes.recipe.catalog.scriptlet_declarations import ScriptletClass, read_python, read_sidecar
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
    is_runnable,
    misnamed_candidates,
)
from rack_recipes.recipe.output_patterns import patterns_of
from rack_recipes.recipe.scriptlet_entry import Kind, ScriptletEntry
from rack_recipes.recipe.trusted_files import Stamp, check_trusted, read_checked
from rack_recipes.settings import Settings
from rack_recipes.yaml_suffixes import SUFFIXES, check_single

SUFFIX = ".py"


def hiding_file(folder: str, relative_path: str) -> str:
    """Return the path of the file that hides the file at `relative_path` in a folder, or an empty string."""
    parts = relative_path.split(os.sep)
    files = (os.sep.join((folder, *parts[:end])) + SUFFIX for end in range(1, len(parts)))
    return next(filter(os.path.isfile, files), "")


def hidden_folder(file: Path) -> Path | None:
    """Return the folder with Python files that a Python file hides, None if there is none. The file need not exist."""
    folder = file.with_suffix("")
    return folder if any(folder.rglob(f"*{SUFFIX}")) else None


COLLECTION = "ansible.builtin"
FOLDERS = ("modules", "plugins/action")
MOVED = "config/ansible_builtin_runtime.yml"  # it names those that have moved to collections


def folder_of_ansible() -> Path | None:
    """The folder of the package ansible; None where it is not installed.

    The package ansible.modules is no way to it: in Ansible's own process it has no folder.
    """
    spec = find_spec("ansible")
    return next(map(Path, spec.submodule_search_locations or ()), None) if spec else None


@cache
def builtin_modules() -> tuple[str, ...]:
    """The full names of the modules and actions, sorted; empty where Ansible is not installed."""
    folder = folder_of_ansible()
    files = (file for name in FOLDERS for file in (folder / name).glob("[a-z]*.py")) if folder else ()
    return tuple(sorted({f"{COLLECTION}.{file.stem}" for file in files}))


def nearest_builtin(module: str) -> str:
    """The module or action of Ansible that was probably meant by a full name, empty for none."""
    start = f"{COLLECTION}."
    near = nearest(module.removeprefix(start), [name.removeprefix(start) for name in builtin_modules()])
    return f"{start}{near}" if near else ""


def is_missing_builtin(module: str) -> bool:
    """Whether a full name is one of Ansible's own, and there is no such module or action, nor has one moved."""
    if not module.startswith(f"{COLLECTION}.") or module in builtin_modules():
        return False
    folder = folder_of_ansible()
    if folder is None:
        return False
    moved = folder / MOVED
    name = re.escape(module.removeprefix(f"{COLLECTION}."))
    return not moved.is_file() or not re.search(rf"(?m)^ +{name}:", moved.read_text(encoding="utf-8"))


def entry_of(candidate: Candidate, function: str, envelope: str = "") -> ScriptletEntry:
    """Return the entry of a scriptlet. Raises CatalogError if the file is not trusted or declares something wrong.

    `function` is the name of the class, empty if the recipe names none. With the `envelope` none, a script or a program
    needs no sidecar.
    """
    seen = _stamp_if_trusted(candidate, candidate.relative_path)
    if envelope and not candidate.sidecar and candidate.kind != "python" and not function:
        return _entry(candidate, _digest(_checked_script(candidate.path, seen)), {"envelope": envelope})
    return READERS[candidate.kind](candidate, function, seen)


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
        beside = Path(candidate.path).with_suffix(SUFFIXES[0]).name
        raise CatalogError(
            f"{candidate.path} has no {beside} beside it, to give its description, options and writes (a step runs a "
            "script as it is with envelope: none)"
        )
    if not is_runnable(candidate):
        raise CatalogError(f"{candidate.path} is not executable: chmod +x {candidate.path}")
    check_single(Path(candidate.sidecar), CatalogError)
    stamps = seen, _stamp_if_trusted(candidate, os.path.relpath(candidate.sidecar, candidate.folder.path))
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
        patterns=patterns_of(writes or {}) if declared.get("envelope") else None,
        scope=declared.get("scope", "host"),
        reads_results=declared.get("reads_results", False),
        reads_history=tuple(declared.get("reads_history", ())),
        live=declared.get("live", False),
        deprecated=declared.get("deprecated", "").strip(),
        holds={key: said if isinstance(said, str) else said.get("description", "") for key, said in writes.items()}
        if isinstance(writes, dict)
        else {},
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
    code, beside = _checked_script(path, seen[0]), read_checked(sidecar, seen[1])
    return read_sidecar(beside, sidecar), _digest(code, beside)


def _digest(*parts: bytes) -> str:
    whole = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return f"sha256:{sha256(whole).hexdigest()}"


def _checked_script(path: str, seen: Stamp) -> bytes:
    """The file. Raises CatalogError for Windows line ends: they become a part of the interpreter's name."""
    code = read_checked(path, seen)
    first = code.partition(b"\n")[0]
    if first.startswith(b"#!") and first.endswith(b"\r"):
        raise CatalogError(f"{path}:1:1: expected Unix line ends, got those of Windows")
    return code


_SCRIPTLET_SUFFIX = re.compile(r"\.(py|sh|awk|c)$")
MODULE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
DEFAULT_FOLDERS = tuple(map(Path, Settings().scriptlets))
FULL_NAME_PARTS = 3  # namespace, collection, module
OF_ANSIBLE = " (a step with a module of Ansible's has type: ansible)"


def find_scriptlet(
    module: str, function: str, kind: str, folders: Sequence[Path] = DEFAULT_FOLDERS, envelope: str = ""
) -> ScriptletEntry:
    """Return the scriptlet that a step names. Raises CatalogError.

    `kind` is the step's type, `envelope` what it says of that. `folders` are the project's trusted folders of
    drop-ins; the collection's own folder comes after them. If several tails of `module` name a file, the longest tail
    wins, then the first folder.
    """
    if not MODULE.fullmatch(module):
        raise CatalogError(
            f"expected a dotted name such as steps.compute_numbers, got {module!r}{_hint(module, folders)}"
        )
    found = _search(module, drop_in_folders(folders))
    if not found:
        raise CatalogError(f"no scriptlet {module!r} {_searched_folders(module, folders)}{_hint(module, folders)}")
    return entry_of(_choose(found, kind), function, envelope)


def list_scriptlets(folders: Sequence[Path] = DEFAULT_FOLDERS) -> tuple[ScriptletEntry, ...]:
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
    parts = _SCRIPTLET_SUFFIX.sub("", module).strip("./").replace("/", ".").split(".")
    tails = [".".join(parts[start:]) for start in range(len(parts))]
    near = [(tail, name) for tail in tails for name in [nearest(tail, names)] if name]
    best = max(near, key=lambda pair: difflib.SequenceMatcher(None, *pair).ratio(), default=None)
    if best:
        return f" (did you mean {best[1]!r}?)"
    return OF_ANSIBLE if len(parts) == FULL_NAME_PARTS else ""
