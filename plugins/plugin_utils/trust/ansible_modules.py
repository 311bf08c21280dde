# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's modules: by which names one counts, and which code it is.

What is found here is found by looking into folders, not by Ansible's loaders: the command has none for collections.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

BUILTIN = "ansible.builtin."
LEGACY = "ansible.legacy."
MODULES, ACTIONS, UTILS = "modules", "plugins/action", "module_utils"  # kinds, and their folders in ansible-core
ROUTES, RUNTIME = "config/ansible_builtin_runtime.yml", "meta/runtime.yml"
LEAVE_OUT = (".pyc", ".pyo")


@dataclass(frozen=True, slots=True)
class Code:
    """What a module is made of: the packages by their versions, and files and folders for which no version stands."""

    packages: tuple[str, ...]
    parts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """A file in a folder in which Ansible looks beside its own."""

    kind: str
    name: str
    path: Path


def full_name(module: str) -> str:
    """The one name of a module of Ansible's: ansible-core's own is `ansible.builtin`, however a recipe calls it."""
    if "." in module and not module.startswith(LEGACY):
        return module
    name = module.removeprefix(LEGACY)
    is_named = any(True for _file in _named(name))
    return f"{LEGACY if is_named else BUILTIN}{name}"


def names_of(module: str) -> tuple[str, ...]:
    """Its full name, and those of the files that hide ansible-core's own: its actions run modules by short names."""
    return tuple(dict.fromkeys((full_name(module), *(f"{LEGACY}{file.path.stem}" for file in _hiding()))))


def code_of(module: str) -> Code:
    """What the module with a full name is made of, also where Ansible is led on to another collection."""
    found: dict[str, Code] = {}
    names = [module]
    while names:
        name = names.pop()
        if name not in found:
            found[name] = _code(name)
            names += _redirects(name)
    packages = dict.fromkeys(package for code in found.values() for package in code.packages)
    parts = dict.fromkeys(part for code in found.values() for part in code.parts)
    return Code(tuple(packages), tuple(sorted({*parts, *(file.path for file in _hiding())})))


def _code(module: str) -> Code:
    if module.startswith((BUILTIN, LEGACY)):
        from ansible.release import __version__

        core = (f"ansible-core {__version__}",)
        return Code(core, tuple(_legacy(module.removeprefix(LEGACY))) if module.startswith(LEGACY) else ())
    name = ".".join(module.split(".")[:2])
    folder = _collection(name)
    if folder is None:
        return Code((f"{name}, which is not here",))
    version = _version(folder)
    if version:
        return Code((f"{name} {version}",))
    return Code((name,), tuple(part for part in (folder / "plugins", folder / RUNTIME) if part.exists()))


def _legacy(name: str) -> Iterator[Path]:
    """The files of a module that ansible-core does not have: its own, and all that it may import."""
    yield from _named(name)
    yield from (file.path for file in _beside() if file.kind == UTILS)


def _named(name: str) -> Iterator[Path]:
    """The module of a name, and the action that Ansible runs for it: network modules share one."""
    last = name.rpartition(".")[2]
    for file in _beside():
        if (file.kind, file.name) in ((MODULES, last), (ACTIONS, last), (ACTIONS, last.split("_")[0])):
            yield file.path


def _hiding() -> list[_File]:
    """The files that Ansible takes for ansible-core's own, also where ansible-core asks for these."""
    return [file for file in _beside() if file.name in _core_names(file.kind)]


def _beside() -> Iterator[_File]:
    """The files in all folders but ansible-core's in which Ansible looks for modules and for what is part of them."""
    # only a guarded recipe with modules of Ansible's pays for this import
    from ansible.plugins.loader import action_loader, module_loader, module_utils_loader

    kinds = ((MODULES, module_loader), (ACTIONS, action_loader), (UTILS, module_utils_loader))
    for kind, loader in kinds:
        for folder in dict.fromkeys(map(Path, loader._get_paths(subdirs=kind != UTILS))):
            if folder.is_dir() and not folder.resolve().is_relative_to(_core()):
                yield from _files(kind, folder)


def _files(kind: str, folder: Path) -> Iterator[_File]:
    for path in files_below(folder) if kind == UTILS else filter(Path.is_file, sorted(folder.iterdir())):
        if path.suffix not in LEAVE_OUT:
            yield _File(kind, _name(kind, path, folder), path)


def _name(kind: str, path: Path, folder: Path) -> str:
    """What a file is called by; an underscore before the name of a module stands for an old one."""
    if kind != UTILS:
        return path.stem.removeprefix("_")
    return path.relative_to(folder).with_suffix("").as_posix().removesuffix("/__init__")


def files_below(folder: Path) -> Iterator[Path]:
    """All files that a folder holds, those in linked folders too, without what Python makes of them."""
    seen: set[str] = set()
    for parent, inner, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        inner[:] = sorted(
            name for name in inner if name != "__pycache__" and os.path.realpath(Path(parent, name)) not in seen
        )
        yield from (Path(parent, name) for name in sorted(names) if not name.endswith(LEAVE_OUT))


@cache
def _core() -> Path:
    import ansible

    return Path(ansible.__file__).resolve().parent


@cache
def _core_names(kind: str) -> frozenset[str]:
    return frozenset(file.name for file in _files(kind, _core() / kind) if file.name != "__init__")


def _redirects(module: str) -> Iterator[str]:
    """The modules and actions that a collection's own list of moved ones leads to."""
    collection, name = ".".join(module.split(".")[:2]), ".".join(module.split(".")[2:])
    if module.startswith(LEGACY):
        return
    if module.startswith(BUILTIN):
        is_own = name in _core_names(MODULES) | _core_names(ACTIONS)
        routes = None if is_own else _routes(_core() / ROUTES)
    else:
        folder = _collection(collection)
        routes = _routes(folder / RUNTIME) if folder else None
    for kind in ("modules", "action"):
        target = _at(routes, kind, name, "redirect")
        if isinstance(target, str) and target.count(".") > 1:
            yield target


@cache
def _routes(file: Path) -> Any:
    import yaml

    try:
        found = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except (OSError, yaml.YAMLError):
        return None  # Ansible finds none either
    return _at(found, "plugin_routing")


def _at(data: Any, *keys: str) -> Any:
    """What is in mappings of mappings, None where it is not."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _collection(name: str) -> Path | None:
    """Where Ansible finds a collection: the first one hides all others."""
    place = Path("ansible_collections", *name.split("."))
    return next((folder / place for folder in _folders() if (folder / place).is_dir()), None)


def _folders() -> Iterator[Path]:
    """Where Ansible looks for collections."""
    from ansible import constants
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    beside = AnsibleCollectionConfig.playbook_paths if AnsibleCollectionConfig.collection_finder else ()
    yield from (Path(path).expanduser() for path in (*beside, *constants.COLLECTIONS_PATHS, *sys.path) if path)


def _version(collection: Path) -> str:
    """The version of an installed collection, empty where none is known."""
    try:
        manifest = json.loads((collection / "MANIFEST.json").read_bytes())
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
