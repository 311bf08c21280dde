# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the full name of an Ansible module and the code that it is made of, and the plugins of a project.

It looks into folders itself: the command has no Ansible loader for collections.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rack_recipes.collection_path import ROOT

BUILTIN = "ansible.builtin."
LEGACY = "ansible.legacy."
# kinds of files, which are also the names of their folders in ansible-core
MODULES, ACTIONS, UTILS = "modules", "plugins/action", "module_utils"
ROUTES, RUNTIME = "config/ansible_builtin_runtime.yml", "meta/runtime.yml"
LEAVE_OUT = (".pyc", ".pyo")
# Loaders of what modules are made of, which `code_of` has, and of documentation.
NOT_OF_PLUGINS = ("library", UTILS, "action_plugins", "doc_fragments")
INSTALLED = Path(ROOT)  # the environment names it for this collection


@dataclass(frozen=True, slots=True)
class Code:
    """What a module is made of: packages with their versions, and files and folders that belong to no version."""

    packages: tuple[str, ...]
    parts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """A file in a folder that Ansible searches besides its own."""

    kind: str
    name: str
    path: Path


def full_name(module: str) -> str:
    """Return the full name of an Ansible module.

    Ansible-core's own are in `ansible.builtin`, whatever a recipe writes.
    """
    if "." in module and not module.startswith(LEGACY):
        return module
    name = module.removeprefix(LEGACY)
    is_named = any(True for _file in _files_of_name(name))
    return f"{LEGACY if is_named else BUILTIN}{name}"


def names_of(module: str) -> tuple[str, ...]:
    """Return the full name of a module, and the names of files that hide modules of ansible-core.

    These matter for any module, because ansible-core's actions run modules by short names.
    """
    return tuple(dict.fromkeys((full_name(module), *(f"{LEGACY}{file.path.stem}" for file in _overriding_files()))))


def code_of(module: str) -> Code:
    """Return what a module is made of, including the modules that a collection redirects it to."""
    found: dict[str, Code] = {}
    names = [module]
    while names:
        name = names.pop()
        if name not in found:
            found[name] = _code(name)
            names += _redirects(name)
    packages = dict.fromkeys(package for code in found.values() for package in code.packages)
    parts = dict.fromkeys(part for code in found.values() for part in code.parts)
    return Code(tuple(packages), tuple(sorted({*parts, *(file.path for file in _overriding_files())})))


def _code(module: str) -> Code:
    if module.startswith((BUILTIN, LEGACY)):
        from ansible.release import __version__

        core = (f"ansible-core {__version__}",)
        return Code(core, tuple(_legacy_files(module.removeprefix(LEGACY))) if module.startswith(LEGACY) else ())
    name = ".".join(module.split(".")[:2])
    folder = _collection(name)
    if folder is None:
        return Code((f"{name}, which is not here",))
    version = _version(folder)
    if version and folder.parents[2] not in _own_folders():
        return Code((f"{name} {version}",))
    return Code((name,), tuple(_parts_of_collection(folder)))


def _parts_of_collection(folder: Path) -> Iterator[Path]:
    """Yield what holds the code of a collection, as far as it is there."""
    return filter(Path.exists, (folder / "plugins", folder / RUNTIME))


def plugin_parts() -> Iterator[Path]:
    """Yield the files and folders of all plugins that Ansible may load whatever modules a recipe has.

    They are in the folders that settings name, in the user's, in the project and beside the playbook; there are also
    the project's own collections.
    """
    for folder in dict.fromkeys(_plugin_folders()):
        if folder.is_dir() and not folder.resolve().is_relative_to(_core()):
            yield from (path for path in files_below(folder) if path.suffix == ".py")
    for folder in _own_folders():
        for collection in sorted(filter(Path.is_dir, folder.glob("ansible_collections/*/*"))):
            yield from _parts_of_collection(collection)


def _plugin_folders() -> Iterator[Path]:
    from ansible.plugins import loader  # as slow as above

    for each in vars(loader).values():
        if isinstance(each, loader.PluginLoader) and each.subdir not in NOT_OF_PLUGINS:
            yield Path(each.subdir).absolute()
            known, found = each._paths, each._get_paths()
            each._paths = known  # Ansible loads the plugins for variables where it knows no paths yet, and never again
            yield from (Path(path).absolute() for path in found)


def _own_folders() -> list[Path]:
    """Return the folders with collections of the project, and beside the playbook."""
    beside, configured = _collection_settings()
    named = (Path(path).expanduser().absolute() for path in configured)
    inside = [folder for folder in named if folder != INSTALLED and folder.is_relative_to(Path.cwd())]
    return [*dict.fromkeys([*(Path(path).absolute() for path in beside), Path.cwd() / "collections", *inside])]


def _legacy_files(name: str) -> Iterator[Path]:
    """Yield the files of a module that ansible-core does not have: its own, and all that it may import."""
    yield from _files_of_name(name)
    yield from (file.path for file in _files_outside_core() if file.kind == UTILS)


def _files_of_name(name: str) -> Iterator[Path]:
    """Yield the file of a module and of the action that Ansible runs for it; network modules share one action."""
    last = name.rpartition(".")[2]
    for file in _files_outside_core():
        if (file.kind, file.name) in ((MODULES, last), (ACTIONS, last), (ACTIONS, last.split("_")[0])):
            yield file.path


def _overriding_files() -> list[_File]:
    """Return the files that Ansible uses in place of ansible-core's own, even for ansible-core itself."""
    return [file for file in _files_outside_core() if file.name in _core_names(file.kind)]


def _files_outside_core() -> Iterator[_File]:
    """Yield the files in all folders in which Ansible looks for modules and their parts, except ansible-core's."""
    # a slow import, which only recipes with a policy or a lock file and Ansible modules need
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
    """Return the name by which a file is called; a module's leading underscore marks it as deprecated."""
    if kind != UTILS:
        return path.stem.removeprefix("_")
    return path.relative_to(folder).with_suffix("").as_posix().removesuffix("/__init__")


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and in linked folders, except Python's caches."""
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
    """Yield the modules and actions that the module is redirected to."""
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
        target = _nested_value(routes, kind, name, "redirect")
        if isinstance(target, str) and target.count(".") > 1:
            yield target


@cache
def _routes(file: Path) -> Any:
    import yaml

    try:
        found = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except (OSError, yaml.YAMLError):
        return None  # Ansible ignores such a file, too
    return _nested_value(found, "plugin_routing")


def _nested_value(data: object, *keys: str) -> Any:
    """Return the value at the end of a chain of keys, None if a key is missing."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _collection(name: str) -> Path | None:
    """Return the folder of a collection, None if it is not installed; the first folder found hides the others."""
    place = Path("ansible_collections", *name.split("."))
    return next((folder / place for folder in _folders() if (folder / place).is_dir()), None)


def _folders() -> Iterator[Path]:
    """Yield the folders in which Ansible looks for collections."""
    beside, configured = _collection_settings()
    yield from (Path(path).expanduser().absolute() for path in (*beside, *configured, *sys.path) if path)


def _collection_settings() -> tuple[Sequence[str], Sequence[str]]:
    """Return the folders with collections beside the playbook, and those that settings name."""
    from ansible import constants
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    beside = AnsibleCollectionConfig.playbook_paths if AnsibleCollectionConfig.collection_finder else ()
    return beside, constants.COLLECTIONS_PATHS


def _version(collection: Path) -> str:
    """Return the version of an installed collection, or an empty string."""
    try:
        manifest = json.loads((collection / "MANIFEST.json").read_bytes())
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
