# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the executor keeps things on a host.

A folder for each stage, the programs that it compiled, and its own compiled code.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import time
from _frozen_importlib_external import PathFinder  # importlib would cost 1 ms
from zipimport import zipimporter

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import FOLDER_MODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

BASES = ("/var/tmp", "/tmp")  # noqa: S108 - only this user can write in the folder there; /var/tmp outlives a reboot
PROGRAMS = "programs"


class NoFolder(OSError):
    """There is no folder on this host in which the executor can work."""


def base_folder(tmp: str = "", use: Callable[[str], object] = str) -> str:
    """The user's own folder on this host, in `tmp` or in the usual places. It is made if it is missing.

    `use` gets the folder and does its work there. If that raises OSError, such as for lack of room, the next place is
    tried. Raises NoFolder with the reason of each place.
    """
    reasons = []
    for folder in _candidates(tmp):
        try:
            os.makedirs(folder, mode=FOLDER_MODE, exist_ok=True)
            reason = _objection(folder)
            if not reason:
                os.makedirs(os.path.join(folder, PROGRAMS), mode=FOLDER_MODE, exist_ok=True)
                use(folder)
                return folder
        except OSError as error:
            reason = str(error.strerror)
        reasons.append(f"{folder}: {reason}")
    raise NoFolder(f"no folder to work in: {'; '.join(reasons)}")


def find_folder(stage: str, tmp: str = "") -> str | None:
    """The folder of a stage that was started before, in any of the places; None if there is none."""
    places = (os.path.join(base, stage) for base in _candidates(tmp) if not _objection(base))
    return next((folder for folder in places if os.path.isdir(folder)), None)


def _candidates(tmp: str) -> list[str]:
    """The user's folder in each place. If the user has chosen a place it is the only one: others may be too small."""
    places = [os.path.expandvars(os.path.expanduser(tmp))] if tmp else [*BASES, os.path.expanduser("~")]
    return [os.path.join(place, f"rack-recipes-{os.geteuid()}") for place in places]


def _objection(folder: str) -> str:
    """Why a folder cannot be used, such as a link or a folder of another user; empty if it can."""
    try:
        found = os.lstat(folder)
    except OSError as error:
        return str(error.strerror)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return "is not a private folder of this user"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "cannot be written"


def remove(path: str, device: int | None = None) -> None:
    """Remove a file or folder as far as possible. It follows no links and stays on one device."""
    try:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(path)
        elif device in (None, found.st_dev):
            os.chmod(path, FOLDER_MODE)
            for entry in list(os.scandir(path)):
                remove(entry.path, found.st_dev)
            os.rmdir(path)
    except (OSError, RecursionError):
        pass


PREFIX = "code-"
BUNDLE = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"  # one file for each version of Python, with all modules
Spec: type[ModuleSpec] = type(__spec__)
UNUSED = 30 * 24 * 3600  # seconds after which code that was not used again is removed


def add_payload(payload: str) -> None:
    """Let our packages be found in the zip file `payload` too, wherever this code itself came from."""
    if payload not in sys.path:
        sys.path.append(payload)
        sys.meta_path.append(PayloadFinder(payload))


class PayloadFinder:
    """Finds in the payload the modules of our packages that no other finder knows, even if their package is cached."""

    def __init__(self, payload: str) -> None:
        self._payload = payload

    def find_spec(self, name: str, _path: Iterable[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """The spec of a module of our packages, else None."""
        above, _dot, _name = name.rpartition(".")
        if above.partition(".")[0] != "ansible_collections":
            return None
        return PathFinder.find_spec(name, [os.path.join(self._payload, *above.split("."))])


def content_of(payload: str, name: str) -> bytes:
    """The content of a file in the payload."""
    return zipimporter(payload).get_data(os.path.join(payload, name))


class CacheFinder:
    """Finds modules in the content of one file. One file for each of the thirty modules would cost 0.1 ms each to open.

    `codes` maps a module's name to its marshalled code.
    """

    def __init__(self, codes: dict[str, bytes]) -> None:
        self._codes = codes
        self._packages = {name.rpartition(".")[0] for name in codes}

    def find_spec(self, name: str, path: Iterable[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """The spec of a module that is cached, or of a package that holds one, else None.

        The folders of a package are subfolders of its parent's folders.
        """
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
        """Return None: Python then creates an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        exec(marshal.loads(self._codes[module.__name__]), vars(module))  # noqa: S102, S302 - only this user can write it


def use_cached() -> None:
    """From now on import the executor from its cached code, if there is some for this Python beside this file."""
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
    """Keep the payload's `files`, compiled, in a folder of `base` named after `digest`. Raises OSError."""
    folder = os.path.join(base, PREFIX + digest)
    if os.path.isdir(folder):
        os.utime(folder)
    else:
        for entry in list(os.scandir(base)):
            if entry.name.startswith(PREFIX) and time.time() - entry.stat(follow_symlinks=False).st_mtime > UNUSED:
                remove(entry.path)
        _unpack(folder, payload, files)
    if not os.path.exists(os.path.join(folder, BUNDLE)):
        _bundle(folder, files)


def _unpack(folder: str, payload: str, files: list[str]) -> None:
    part = f"{folder}.{os.getpid()}"
    try:
        for name in files:
            path = os.path.join(part, name)
            os.makedirs(os.path.dirname(path), mode=FOLDER_MODE, exist_ok=True)
            with open(path, "wb") as file:
                file.write(content_of(payload, name))
            _code_of(path)
        os.rename(part, folder)  # whole at once: several hosts may be one machine
    finally:
        remove(part)  # something is left of it if the disk is full, or if another runner was faster


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
    """A file's compiled code. Python keeps it beside the file."""
    from importlib.machinery import SourceFileLoader  # 1 ms, and only the first stage needs it

    return SourceFileLoader(path, path).get_code(path)
