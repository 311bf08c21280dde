# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the Python interpreters of this machine, one of each version that a target may have."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from service_supervisor import ServiceError

VERSIONS = ((3, 9), (3, 10), (3, 11), (3, 12), (3, 13))
VARIABLE = "RACK_PYTHONS"


def find() -> dict[str, Path]:
    """Interpreters by full version ("3.9.18"), in ascending order, the first found of each minor version.

    The environment variable RACK_PYTHONS, paths between colons, replaces the search in pyenv's versions and on PATH.
    """
    found: dict[tuple[int, ...], tuple[str, Path]] = {}
    for path in _listed() if os.environ.get(VARIABLE) else _candidates():
        version = _version(path)
        found.setdefault(tuple(map(int, version.split(".")[:2])), (version, path))
    if not found:
        raise ServiceError(f"no Python from 3.9 to 3.13 found in pyenv's versions or on PATH: list some in {VARIABLE}")
    return dict(found[minor] for minor in sorted(found))


def _listed() -> list[Path]:
    paths = [Path(text) for text in os.environ[VARIABLE].split(os.pathsep) if text]
    for path in paths:
        if not (path.is_absolute() and os.access(path, os.X_OK)):
            raise ServiceError(f"{VARIABLE}: {path} is not the absolute path of a program")
    return paths


def _candidates() -> Iterator[Path]:
    paths = [Path(folder) for folder in os.get_exec_path()]
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    roots += [path.parent for path in paths if path.name == "shims"]  # pyenv's, whatever HOME is now
    folders = [folder for root in roots for folder in (root / "versions").glob("*/bin")]
    for folder in [*folders, *paths]:
        for major, minor in VERSIONS:
            path = folder / f"python{major}.{minor}"
            if _is_program(path):
                yield path.resolve()


def _is_program(path: Path) -> bool:
    """Whether it is an ELF file that may be run; pyenv's shims are shell scripts."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF" and os.access(path, os.X_OK)
    except OSError:
        return False


def _version(path: Path) -> str:
    answer = subprocess.run([path, "-V"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"Python (\d+\.\d+\.\d+)", answer)
    if not match:
        raise ServiceError(f"{path} -V does not answer as a Python: {answer!r}")
    return match[1]
