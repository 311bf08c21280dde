# SPDX-License-Identifier: GPL-3.0-or-later

"""The zip that is sent to a host.

The executor, the scriptlets of a stage, the files that they read, and what scripts use of our library for authors.

A scriptlet that does not use it has nothing of it sent.
"""

from __future__ import annotations

import ast
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports
from rack_recipes.collection_path import COLLECTION as ROOT
from rack_recipes.errors import CatalogError
from rack_recipes.recipe.trusted_files import read_trusted
from rack_recipes.run.host.project_files import check_pinned

FOLDER = "plugins/module_utils/script_library"
INSIDE = f"ansible_collections/rack/recipes/{FOLDER}"  # the path of the library in the payload
FOR_SCRIPTS = ("envelope.sh", "json.awk", "rack.awk", "rack.sh")
LIVE = (f"{FOLDER}/rack_live.py", "plugins/module_utils/live_client.py")  # the program, and what it imports
LIVE_CALL = re.compile(rb"\brack_live\b")
CALLS = "param|get|percent|set|set_number|set_json|field|field_number|measure|check|log|secret|attach|fail|error|skip"
# The sign of its use in a file with this suffix, and the files that are sent then.
USES = {
    ".sh": (re.compile(rb"\bRACK_(?:SH|AWK)\b"), FOR_SCRIPTS),
    ".awk": (re.compile(rf"\brack_(?:{CALLS})\(".encode()), FOR_SCRIPTS),
    ".c": (re.compile(rb'(?m)^[ \t]*#[ \t]*include[ \t]*"rack\.h"'), ("rack.h",)),
}


def library_files(name: str, content: bytes) -> dict[str, Path]:
    """The files of the library that a scriptlet of this name and content uses, by their paths in the payload."""
    sign, files = USES.get(PurePosixPath(name).suffix, (None, ()))
    if not (sign and sign.search(content)):
        return {}
    paths = [ROOT / FOLDER / file for file in files]
    paths += [ROOT / file for file in LIVE] if LIVE_CALL.search(content) else []
    return {f"{INSIDE}/{path.name}": path for path in paths}


COLLECTION = "ansible_collections.rack.recipes."
DROP_INS = "scriptlets."
DROP_IN_FOLDER = DROP_INS.replace(".", "/")
SHIPPED = f"{ROOT}{os.sep}"
EXECUTOR = f"{COLLECTION}plugins.module_utils.runner.main"
FOR_AUTHORS = f"{COLLECTION}plugins.module_utils.scriptlet"  # what every scriptlet imports
SANDBOX = f"{COLLECTION}plugins.module_utils.executor.child.sandbox"
SHORT = f"{scriptlet_imports.PACKAGE}."
OWN_IMPORT = re.compile(
    rb"(?m)^ *((?:from|import) (?:(?:ansible_collections|scriptlets)\.|rack_recipes\b)[^(\n]*(?:\([^)]*\))?)"
)
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # the fields of a statement that hold statements
MOMENT = (1980, 1, 1, 0, 0, 0)  # of each member: the same files are to give the same bytes
Files = Mapping[str, Path]


@lru_cache(maxsize=64)
def pack_payload(files: tuple[tuple[str, Path], ...]) -> bytes:
    """The zip of `files` (path in the zip, path on this machine), of the executor, and of what these import of ours.

    Modules keep their full names, so that the same imports work on the controller, on a host and under AnsiballZ.
    Raises CatalogError.
    """
    return _zip({**_executor_files(), **_closure(files)})


@lru_cache(maxsize=1)
def executor_code() -> tuple[str, tuple[str, ...]]:
    """Digest and files of the executor itself. They are the same in every payload, and a host keeps them compiled."""
    whole = _in_packages(_executor_files())
    digest = hashlib.sha256()
    for name, content in sorted(whole.items()):
        digest.update(b"%b\0%d\0%b" % (name.encode(), len(content), content))
    return digest.hexdigest()[:16], tuple(sorted(whole))


def _executor_files() -> dict[str, Path]:
    return _closure(found for name in (EXECUTOR, FOR_AUTHORS) for found in _modules(name, "", ROOT))


def sandbox_code() -> dict[str, Path]:
    """The files that only a stage with a sandboxed step needs, by their paths in the payload."""
    return dict(_modules(SANDBOX, "", ROOT))


@lru_cache(maxsize=1024)
def library_of(inside: str, path: Path) -> Files:
    """The files of the library for shell, awk and C that a scriptlet uses, by their paths in the payload."""
    is_program = inside.startswith(DROP_IN_FOLDER) and not is_code(inside)
    return library_files(inside, read_payload_file(inside, path)) if is_program else {}


@lru_cache(maxsize=1024)
def digest_with_imports(digest: str, inside: str, path: Path) -> str:
    """One `sha256:<hex>` of a scriptlet and of what it imports of ours, without the executor."""
    whole = _closure([(inside, path)])
    more = sorted(whole.keys() - {inside, *executor_code()[1]})
    if not more:
        return digest
    parts = [digest, *(f"{name} {hashlib.sha256(read_payload_file(name, whole[name])).hexdigest()}" for name in more)]
    return f"sha256:{hashlib.sha256(' '.join(parts).encode()).hexdigest()}"


def files_with_imports(inside: str, path: Path) -> dict[str, Path]:
    """A scriptlet's file and those of the project that it imports, by their paths in the payload. Raises CatalogError.

    Other files of the collection are left out, since its version stands for them.
    """
    whole = _closure([(inside, path)])
    return {name: file for name, file in sorted(whole.items()) if name == inside or name.startswith(DROP_IN_FOLDER)}


def _closure(files: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """The files, and all that they import of ours."""
    whole: dict[str, Path] = {}
    waiting = list(files)
    while waiting:
        inside, path = waiting.pop()
        whole[inside] = path
        waiting += [found for found in _imports(inside, path) if found[0] not in whole]
    return whole


def is_code(inside: str) -> bool:
    """Whether a file of the payload is code to be imported, and no data, such as a program of the library."""
    is_ours = inside.startswith((COLLECTION.replace(".", "/"), DROP_IN_FOLDER))
    return inside.endswith(".py") and is_ours and not inside.startswith(INSIDE)


def _imports(inside: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The modules that a file imports from the collection, or from the drop-in folder that it is in.

    Of a shell, awk or C scriptlet they are what it uses of the library for these languages.
    """
    if is_code(inside):
        for name in _imported(inside, path):
            yield from _modules(name, inside, path)
    else:
        yield from library_of(inside, path).items()


def _modules(name: str, inside: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The file of the module or package that an import of `name` in the file `inside` means."""
    parts = name.split(".")
    if name.startswith(COLLECTION):
        folder, below = ROOT, parts[COLLECTION.count(".") :]
    elif name.startswith(DROP_INS) and inside.startswith(DROP_IN_FOLDER):
        folder, below = path.parents[inside.count("/") - 1], parts[1:]
    else:
        return
    for end in _ends(folder, "/".join(below)):
        yield "/".join(parts) + end, folder / ("/".join(below) + end)


@lru_cache(maxsize=4096)
def _ends(folder: Path, module: str) -> tuple[str, ...]:
    """The endings that make the path of a module that of an existing file; none for what is no module."""
    ends = (".py", "/__init__.py")
    return tuple(end for end in ends if os.path.isfile(f"{folder}/{module}{end}"))  # noqa: PTH113 - a third of the time


@lru_cache(maxsize=1024)
def _imported(inside: str, path: Path) -> tuple[str, ...]:
    """The full names of all that a Python file imports, in functions too; of a shipped file only those of ours."""
    content = read_payload_file(inside, path)
    if _is_shipped(path):
        content = b"\n".join(OWN_IMPORT.findall(content))  # the executor's 60 files take 50 ms to be parsed whole
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        raise CatalogError(f"{path}: cannot be read as Python: {error}") from error
    names: set[str] = set()
    for node in _statements(tree):
        if isinstance(node, ast.ImportFrom):
            package = PurePosixPath(inside).parts[: -node.level] if node.level else ()
            module = ".".join((*package, *filter(None, (node.module,))))
            names.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
            if any(alias.name == scriptlet_imports.PACKAGE for alias in node.names):
                names.add(f"{SHORT}*")
    return tuple(sorted({long for name in names for long in _long_names(name)}))


def _long_names(name: str) -> Iterable[str]:
    """The modules that define a short name, or all short names for `rack_recipes.*`; any other name is its own."""
    if not name.startswith(SHORT):
        return (name,)
    modules = scriptlet_imports.MODULES
    return {*modules.values()} if name == f"{SHORT}*" else filter(None, (modules.get(name.removeprefix(SHORT)),))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements, in no order. Expressions are left out: they hold none, and there are ten times as many."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in BLOCKS:
            waiting += getattr(node, name, ())


def _in_packages(files: Files) -> dict[str, bytes]:
    """The contents of the files, with an `__init__.py` in each folder of code.

    Folders of data get none: a project's folder `statistics` must not hide the module of Python.
    """
    code = filter(is_code, files)
    packages = {str(folder / "__init__.py") for name in code for folder in PurePosixPath(name).parents[:-1]}
    return {**dict.fromkeys(packages, b""), **{name: read_payload_file(name, path) for name, path in files.items()}}


def _zip(files: Files) -> bytes:
    contents = _in_packages(files)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(contents):
            archive.writestr(zipfile.ZipInfo(name, MOMENT), contents[name], zipfile.ZIP_DEFLATED)
    return target.getvalue()


def read_payload_file(inside: str, path: Path) -> bytes:
    """The content of a file that is to be sent.

    Raises CatalogError where it cannot be read, is a file of the project that is not trusted, or is not the locked one.
    Every file in a drop-in folder counts as code.
    """
    drop_in = inside.startswith(DROP_IN_FOLDER)
    if _is_shipped(path):
        content = _plain(path)
    else:
        below = inside.count("/") - drop_in + 1  # the drop-in folder may have any name on this machine
        root, place = Path(*path.parts[:-below]), Path(*path.parts[-below:])
        content = read_trusted(str(root), str(place), strict=drop_in)
    check_pinned(inside, content, required=drop_in)
    return content


def _is_shipped(path: Path) -> bool:
    return str(path).startswith(SHIPPED)


def _plain(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from error
