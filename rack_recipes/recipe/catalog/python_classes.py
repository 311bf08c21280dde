# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the scriptlet classes of a Python file from its syntax tree; nothing of it is imported or run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports
from rack_recipes.errors import CatalogError, Place
from rack_recipes.recipe.catalog.check_declarations import check_declared
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.values_in_messages import closest, quoted

BASES = frozenset(("Scriptlet", "BaseScriptlet", "ShellScriptlet"))
DECORATOR = "register_scriptlet"
DECLARED = (
    *("options", "reads", "writes", "scope", "reads_results", "reads_history", "live"),
    *("needs", "verdicts", "example"),
)
NOT_INHERITED = ("deprecated",)  # a class that replaces a deprecated one often derives from it


@dataclass(frozen=True, slots=True)
class ScriptletClass:
    """What one class declares; a name that it does not declare is missing in `declared`."""

    name: str
    description: str
    declared: Mapping[str, Any]


def read_python(code: bytes, file: str) -> tuple[ScriptletClass, ...]:
    """Return the scriptlet classes of a file, in its order. Raises CatalogError with the position of what is wrong."""
    try:
        with warnings.catch_warnings(action="ignore"):  # warnings about the author's code are left to linters
            module = ast.parse(code, file)
    except (SyntaxError, ValueError) as error:
        place = Place(file, getattr(error, "lineno", 1) or 1, getattr(error, "offset", 1) or 1)
        raise CatalogError(f"{place}: not valid Python: {getattr(error, 'msg', error)}") from error
    except (RecursionError, MemoryError) as error:
        raise CatalogError(f"{file}: too deeply nested to be read") from error
    _check_short_names(module, file)
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    names = _imported_names(module)
    return tuple(
        _read_class(node, _with_bases(node, classes), file)
        for node in classes.values()
        if _is_scriptlet(_with_bases(node, classes), names)
    )


def _check_short_names(module: ast.Module, file: str) -> None:
    """Raise CatalogError for a name that the package rack_recipes does not have on a host."""
    imports = (node for node in module.body if isinstance(node, ast.ImportFrom))
    for alias in (alias for node in imports if node.module == scriptlet_imports.PACKAGE for alias in node.names):
        if alias.name in ("*", *scriptlet_imports.MODULES):
            continue
        place = Place(file, alias.lineno, alias.col_offset + 1)
        if alias.name in scriptlet_imports.FOR_PROGRAMS:
            raise CatalogError(f"{place}: {scriptlet_imports.not_for_scriptlets(alias.name)}")
        near = closest(alias.name, tuple(scriptlet_imports.MODULES))
        hint = f" (did you mean {near!r}?)" if near else f"; there are {', '.join(scriptlet_imports.MODULES)}"
        raise CatalogError(f"{place}: {scriptlet_imports.PACKAGE} has no name {quoted(alias.name)}{hint}")


def _imported_names(module: ast.Module) -> dict[str, str]:
    """Return the original name of each imported name: `from a import b as c` gives `{"c": "b"}`."""
    imports = (node for node in module.body if isinstance(node, ast.ImportFrom))
    return {alias.asname or alias.name: alias.name for node in imports for alias in node.names}


def _with_bases(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return the class and its base classes in the same file, the nearest first."""
    found = [node]
    for known in found:  # the list grows during the loop
        bases = (classes.get(_last_name(base)) for base in known.bases)
        found += [base for base in bases if base is not None and base not in found]
    return found


def _is_scriptlet(with_bases: list[ast.ClassDef], names: Mapping[str, str]) -> bool:
    bases = {_last_name(base) for node in with_bases for base in node.bases}
    marks = {_last_name(mark) for mark in with_bases[0].decorator_list}
    derived = bool({names.get(base, base) for base in bases} & BASES) and with_bases[0].name not in BASES
    return derived or DECORATOR in {names.get(mark, mark) for mark in marks}


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return _last_name(function)
        case ast.Subscript(value=value):
            return _last_name(value)
        case _:
            return ""


def _read_class(node: ast.ClassDef, with_bases: list[ast.ClassDef], file: str) -> ScriptletClass:
    inherited = {name: value for part in reversed(with_bases) for name, value in _assignments(part) if name in DECLARED}
    assigned = inherited | {name: value for name, value in _assignments(node) if name in NOT_INHERITED}
    places: dict[Path, Place] = {(): _place(node, file)}
    declared = {name: _literal(value, (name,), places, file) for name, value in assigned.items()}
    check_declared(declared, places)
    description = (ast.get_docstring(node) or "").strip().partition("\n")[0]
    return ScriptletClass(node.name, description, declared)


def _assignments(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _literal(node: ast.expr, path: Path, places: dict[Path, Place], file: str) -> Any:
    """Return the value of a literal, and add the position of each part of it to `places`. Raises CatalogError."""
    places[path] = _place(node, file)
    match node:
        case ast.Dict(keys=keys, values=values):
            pairs = [(_key(key, path, places, file), value) for key, value in zip(keys, values, strict=True)]
            return {key: _literal(value, (*path, key), places, file) for key, value in pairs}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item, (*path, index), places, file) for index, item in enumerate(items)]
        case _:
            return _scalar(node, path, places)


def _key(node: ast.expr | None, path: Path, places: dict[Path, Place], file: str) -> str:
    if node is None:
        raise CatalogError(f"{places[path]}: {path[0]} must be a literal, since it is read without being run; got **")
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise CatalogError(f"{places[path]}: expected text as keys of {path[0]}, since it is read without being run")
    places[(*path, node.value, KEY)] = _place(node, file)
    return node.value


def _scalar(node: ast.expr, path: Path, places: dict[Path, Place]) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError) as error:
        text = f"{path[0]} must be a literal, since it is read without being run; got {ast.unparse(node)[:60]}"
        raise CatalogError(f"{places[path]}: {text}") from error
    if value is not None and not isinstance(value, str | int | float):
        raise CatalogError(f"{places[path]}: expected JSON data in {path[0]}, got {ast.unparse(node)[:60]}")
    return value


def _place(node: ast.expr | ast.ClassDef, file: str) -> Place:
    return Place(file, node.lineno, node.col_offset + 1)
