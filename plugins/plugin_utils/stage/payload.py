# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The zip that travels to a host: the executor, the scriptlets of a stage, and the files that they read."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

COLLECTION = "ansible_collections.rack.recipes."
ROOT = Path(__file__).parents[3]
EXECUTOR = COLLECTION + "plugins.module_utils.executor.main"
MOMENT = (1980, 1, 1, 0, 0, 0)

Files = Mapping[str, Path]


@lru_cache(maxsize=64)
def pack(files: tuple[tuple[str, Path], ...]) -> bytes:
    """The zip of `files` (path inside, path here), of the executor, and of all that these import of ours.

    Full names are kept, so the same imports work here, there and under AnsiballZ.
    """
    whole = dict(files)
    waiting = [_module_file(EXECUTOR), *files]
    while waiting:
        inside, path = waiting.pop()
        whole[inside] = path
        waiting += [found for found in _imports(inside, path, dict(files)) if found[0] not in whole]
    return _zip(whole)


def _module_file(name: str) -> tuple[str, Path]:
    inside = PurePosixPath(*name.split(".")).with_suffix(".py")
    return str(inside), ROOT.joinpath(*inside.parts[3:])


@lru_cache(maxsize=1024)
def _imported(path: Path) -> tuple[str, ...]:
    tree = ast.parse(path.read_bytes())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return tuple(sorted(names))


def _imports(inside: str, path: Path, given: Files) -> Iterator[tuple[str, Path]]:
    """Our own modules that a file imports: of the collection, or from the folder of drop-ins that it stands in."""
    if not inside.endswith(".py"):
        return
    for name in _imported(path):
        if name.startswith(COLLECTION):
            found = _module_file(name)
        elif name.startswith("scriptlets.") and inside.startswith("scriptlets/"):
            relative = PurePosixPath(*name.split(".")).with_suffix(".py")
            folder = path.parents[len(PurePosixPath(inside).parts) - 1]
            found = str(relative), folder.joinpath(*relative.parts)
        else:
            continue
        if found[1].is_file() and found[0] not in given:
            yield found


def _zip(files: Files) -> bytes:
    target = io.BytesIO()
    packages = {str(folder / "__init__.py") for name in files for folder in PurePosixPath(name).parents[:-1]}
    contents = {**dict.fromkeys(packages, b""), **{name: path.read_bytes() for name, path in files.items()}}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            archive.writestr(zipfile.ZipInfo(name, MOMENT), contents[name])
    return target.getvalue()


