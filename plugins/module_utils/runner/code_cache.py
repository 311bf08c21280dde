# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor's own code, kept on a host that has run it: the next stage need not compile it again, 20 ms of CPU."""

from __future__ import annotations

import marshal
import os
import sys
import time
from _frozen_importlib_external import PathFinder  # importlib would cost 1 ms
from zipimport import zipimporter

from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

PREFIX = "code-"
BUNDLE = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"  # a file for each Python, all modules in it
Spec: type[ModuleSpec] = type(__spec__)
UNUSED = 30 * 24 * 3600  # seconds after which code that nobody asked for again is removed


def add_payload(payload: str) -> None:
    """Let our packages be found in the payload too, wherever this code itself came from."""
    if payload not in sys.path:
        sys.path.append(payload)
        sys.meta_path.append(PayloadFinder(payload))


class PayloadFinder:
    """Finds in the payload what the folder of a package of ours does not have, also of packages that are kept."""

    def __init__(self, payload: str) -> None:
        self._payload = payload

    def find_spec(self, name: str, _path: Iterable[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """As the import system asks, where nobody else knows the module."""
        above, _dot, _name = name.rpartition(".")
        if above.partition(".")[0] != "ansible_collections":
            return None
        return PathFinder.find_spec(name, [os.path.join(self._payload, *above.split("."))])


def content_of(payload: str, name: str) -> bytes:
    """A file of the payload, read as imports read it."""
    return zipimporter(payload).get_data(os.path.join(payload, name))


class CacheFinder:
    """Finds modules in one file that was read at once: opening a file for each of thirty costs 0.1 ms each."""

    def __init__(self, codes: dict[str, bytes]) -> None:
        self._codes = codes
        self._packages = {name.rpartition(".")[0] for name in codes}

    def find_spec(self, name: str, path: Iterable[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """As the import system asks; the folder of a package is one of each of its parent's."""
        if name in self._codes:
            spec = Spec(name, self, origin=f"{_root()}/{name.replace('.', '/')}.py")  # type: ignore[arg-type]
            spec.has_location = True
            return spec
        if name not in self._packages or path is None:
            return None
        package = Spec(name, None, is_package=True)
        package.submodule_search_locations = [f"{folder}/{name.rpartition('.')[2]}" for folder in path]
        return package

    def create_module(self, _spec: ModuleSpec) -> None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        exec(marshal.loads(self._codes[module.__name__]), vars(module))  # noqa: S102, S302 - only this user can write it


def use_cached() -> None:
    """Import the executor from its cached code for this Python, where there is some beside this file."""
    try:
        with open(os.path.join(_root(), BUNDLE), "rb") as file:
            finder = CacheFinder(marshal.loads(file.read()))  # noqa: S302
    except (OSError, ValueError, EOFError, TypeError):
        return
    sys.meta_path.insert(0, finder)


def _root() -> str:
    """The folder, or payload, in which this code was found."""
    return __file__.rpartition("/ansible_collections/")[0]


def cache_code(base: str, payload: str, digest: str, files: list[str]) -> None:
    """Keep the payload's `files`, compiled, where the next start looks for them. Raises OSError."""
    folder = os.path.join(base, PREFIX + digest)
    if os.path.isdir(folder):
        os.utime(folder)
    else:
        _remove_unused(base)
        _unpack(folder, payload, files)
    if not os.path.exists(os.path.join(folder, BUNDLE)):
        _bundle(folder, files)


def _unpack(folder: str, payload: str, files: list[str]) -> None:
    part = f"{folder}.{os.getpid()}"
    try:
        for name in files:
            path = os.path.join(part, name)
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(path, "wb") as file:
                file.write(content_of(payload, name))
            _code_of(path)
        os.rename(part, folder)  # whole at once: several hosts may be one machine
    finally:
        remove(part)  # of which there is something where the disk is full, or another was first


def _bundle(folder: str, files: list[str]) -> None:
    codes = {
        name[: -len(".py")].replace("/", "."): marshal.dumps(_code_of(os.path.join(folder, name))) for name in files
    }
    part = os.path.join(folder, f"{BUNDLE}.{os.getpid()}")
    try:
        with open(part, "wb") as file:
            file.write(marshal.dumps(codes))
        os.rename(part, os.path.join(folder, BUNDLE))
    finally:
        remove(part)


def _code_of(path: str) -> CodeType | None:
    """A file's code, which is kept beside it."""
    from importlib.machinery import SourceFileLoader  # 1 ms, and only the first stage needs it

    return SourceFileLoader(path, path).get_code(path)


def _remove_unused(base: str) -> None:
    for entry in list(os.scandir(base)):
        if entry.name.startswith(PREFIX) and time.time() - entry.stat(follow_symlinks=False).st_mtime > UNUSED:
            remove(entry.path)
