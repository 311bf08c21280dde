# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a scriptlet declares of itself, in its Python class or its sidecar, without running it; checks it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports
from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import CONVERSIONS, convert, converted
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import KEY as CONTEXT_KEY
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.errors import CatalogError, Place, RecipeError, RecipeErrors
from rack_recipes.recipe.output_patterns import NONE, pattern_problems
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.values_in_messages import closest, listed, quoted, shown
from rack_recipes.recipe.yaml.files_beside_recipes import Check, Problem, unknown
from rack_recipes.recipe.yaml.reader import Document, read
from rack_recipes.recipe.yaml.values_and_positions import KEY

ANALYSES = ("reads_results", "reads_history")  # what is for scriptlets that analyse their run
PLAIN = ("str", "int", "float")  # types whose choices can be compared with values directly, and of values in a text
OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_declared(declared: Mapping[str, object], places: Mapping[Path, Place]) -> None:
    """Raise CatalogError with every problem and its file, line and column.

    `places` has the position of each declared value, by the value's path.
    """
    found = [problem for name in declared for problem in _check(name, declared[name], TOP, ())]
    found += [*_analyses_only_the_run(declared), *_patterns(declared)]
    if found:
        errors = (RecipeError(_place(path, places), *words) for path, *words in found)
        raise CatalogError("\n".join(map(str, sorted(errors, key=attrgetter("place")))))


def _place(path: Path, places: Mapping[Path, Place]) -> Place:
    """Return the position of a value, or of the nearest value around it that has one."""
    return next(places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places)


def _analyses_only_the_run(declared: Mapping[str, object]) -> Iterator[Problem]:
    """Yield a problem for each part of the run that a scriptlet for single hosts declares to read."""
    if declared.get("scope", "host") == "host":
        for name in ANALYSES:
            if declared.get(name):
                yield (name,), "scope: run beside it, since only such a step sees the whole run", "scope: host", ""


def _patterns(declared: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what is wrong with the keys of a program without an envelope, and patterns that nobody would look for."""
    writes = declared.get("writes")
    if declared.get("envelope") == NONE:
        yield from ((("writes", *path), *words, "") for path, words in pattern_problems(writes))
    elif isinstance(writes, dict):
        for key, said in writes.items():
            if isinstance(said, dict):
                yield (
                    ("writes", key),
                    "what this key holds, with units (a pattern needs envelope: none)",
                    shown(said),
                    "",
                )


def _check(name: str, value: object, checks: Mapping[str, Check], path: Path) -> Iterator[Problem]:
    """Yield the problems of one declared name; an unknown name is a problem itself."""
    if name in checks:
        yield from checks[name](value, (*path, name))
    else:
        yield from unknown((name,), checks, path)


def _instance_of(kind: type, expected: str) -> Check:
    def check(value: object, path: Path) -> Iterator[Problem]:
        if not isinstance(value, kind):
            yield path, expected, shown(value), ""

    return check


def _one_of(*words: str) -> Check:
    def check(value: object, path: Path) -> Iterator[Problem]:
        if value not in words:
            near = closest(value, words) if isinstance(value, str) else ""
            yield path, f"one of {listed(words, len(words))}" if words[1:] else words[0], shown(value), near

    return check


def _list_of(fits: Callable[[Any], bool], expected: str) -> Check:
    def check(value: object, path: Path) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield path, f"a list, each item {expected}", shown(value), ""
        else:
            wrong = ((index, item) for index, item in enumerate(value) if not fits(item))
            yield from (((*path, index), expected, shown(item), "") for index, item in wrong)

    return check


def _none_or(check: Check) -> Check:
    return lambda value, path: (_anything if value is None else check)(value, path)


def _options(value: object, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield path, "a mapping of options, such as {device: {type: str, required: true}}", shown(value), ""
        return
    for name, spec in value.items():
        if not OPTION.fullmatch(name):
            yield (*path, name, KEY), "an option's name of letters, digits and '_'", shown(name), ""
        yield from _option(name, spec, (*path, name))


def _option(name: str, spec: object, path: Path) -> Iterator[Problem]:
    if not isinstance(spec, dict):
        yield path, "a mapping such as {type: str, required: true}", shown(spec), ""
        return
    found = [problem for attribute in spec for problem in _check(attribute, spec[attribute], ATTRIBUTES, path)]
    yield from found
    if not found and spec.get("choices"):
        found = [*_choices(name, spec, path)]
        yield from found
    if not found and spec.get("default") is not None:
        yield from _default(name, spec, path)


def _default(name: str, spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    default = spec["default"]
    if spec.get("required"):
        yield (*path, "default"), "no default beside required: true", shown(default), ""
        return
    try:
        value = convert(name, default, spec.get("type", "str"))
    except ValueError:
        yield (*path, "default"), f"a default of type {spec.get('type', 'str')}", shown(default), ""
        return
    for item in value if isinstance(value, list) else [value]:
        if item not in spec.get("choices", [item]):
            yield (*path, "default"), f"one of the choices {listed(spec['choices'])}", shown(item), ""
            return
    try:
        converted(name, spec, value)
    except ValueError as error:
        yield (*path, "default"), f"a default that its own option takes ({error})", shown(default), ""


def _choices(name: str, spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yield a problem for each choice that no value can equal, because it has another type."""
    kind = spec.get("type", "str")
    kind = spec.get("elements", "raw") if kind == "list" else kind
    for index, choice in enumerate(spec["choices"] if kind in PLAIN else ()):
        try:
            is_met = convert(name, choice, kind) == choice and not isinstance(choice, bool)
        except ValueError:
            is_met = False
        if not is_met:
            yield (*path, "choices", index), f"a choice of type {kind}", shown(choice), ""


def _anything(value: object, path: Path) -> Iterator[Problem]:
    yield from ()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and CONTEXT_KEY.fullmatch(value) is not None


def _notice(value: Any, path: Path) -> Iterator[Problem]:
    if not _is_text(value) or not value.strip() or "\n" in value.strip():
        yield path, "one line that names what to use instead, such as: use steps.probe_v2", shown(value), ""


def _writes(value: object, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a list of keys, or with a mapping of each key to what it holds."""
    if not isinstance(value, dict):
        yield from _keys(value, path)
        return
    for name, text in value.items():
        if not _is_key(name):
            yield (*path, name, KEY), A_KEY, shown(name), ""
        if isinstance(text, dict):
            for word in text:
                yield from _check(word, text[word], OF_KEY, (*path, name))
        elif not _is_text(text):
            yield (*path, name), "what this key holds, with units", shown(text), ""


def _verdicts(value: object, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield path, "a mapping such as {failed: a limit is exceeded}", shown(value), ""
        return
    for name, text in value.items():
        if name not in VERDICTS:
            near = closest(name, tuple(VERDICTS))
            yield (*path, name, KEY), f"one of {listed(VERDICTS, len(VERDICTS))}", shown(name), near
        if not _is_text(text):
            yield (*path, name), "when a step gets this verdict", shown(text), ""


A_KEY = "a context key such as numbers.stats_v1: lower-case, dotted, with a version at its end"
_text = _instance_of(str, "text")
_keys = _list_of(_is_key, A_KEY)
TOP: dict[str, Check] = {
    "description": _text,
    "options": _none_or(_options),
    "reads": _none_or(_keys),
    "writes": _writes,
    "envelope": _one_of(NONE),
    "flags": _list_of(_is_text, "a flag of the C compiler, such as -O2"),
    "scope": _one_of("host", "run"),
    "reads_results": _instance_of(bool, "true or false"),
    "reads_history": _list_of(_is_text, "the name of a measurement or of a context key"),
    "live": _instance_of(bool, "true or false"),
    "deprecated": _notice,
    "needs": _list_of(_is_text, "a tool, a device or a right that the host needs, such as: root"),
    "verdicts": _verdicts,
    "example": _instance_of(str, "text: steps of a recipe"),
}
OF_KEY: dict[str, Check] = {  # of a program without an envelope
    "pattern": _text,
    "type": _one_of(*PLAIN),
    "optional": _instance_of(bool, "true or false"),
    "description": _text,
}
ATTRIBUTES: dict[str, Check] = {
    "type": _one_of(*CONVERSIONS),
    "elements": _one_of(*CONVERSIONS),
    "required": _instance_of(bool, "true or false"),
    "no_log": _instance_of(bool, "true or false"),
    "choices": _instance_of(list, "a list, each item a value"),
    "aliases": _list_of(_is_text, "another name of the option"),
    "options": _options,
    "default": _anything,
    "description": _instance_of(str | list, "text or a list of texts"),  # type: ignore[arg-type]
    "unit": _instance_of(str, "text such as MiB"),
    "source": _instance_of(str, "text: where the default is from"),
    "is_code": _instance_of(bool, "true or false"),
    **dict.fromkeys(("min", "max"), _instance_of(int | float, "a number")),  # type: ignore[arg-type]
}
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
    places: dict[Path, Place] = {(): _place_of_node(node, file)}
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
    places[path] = _place_of_node(node, file)
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
    places[(*path, node.value, KEY)] = _place_of_node(node, file)
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


def _place_of_node(node: ast.expr | ast.ClassDef, file: str) -> Place:
    return Place(file, node.lineno, node.col_offset + 1)


EXPECTED = "a mapping with description, options and writes"


def read_sidecar(content: bytes, file: str) -> Mapping[str, Any]:
    """Return what a sidecar declares. Raises CatalogError with file, line and column of all that is wrong."""
    if not content.strip():
        raise CatalogError(f"{Place(file)}: expected {EXPECTED}, got an empty file")
    try:
        document = read(content, file, EXPECTED)
    except RecipeErrors as error:
        raise CatalogError(str(error)) from error
    check_declared(document.data, document.places)
    _check_capitals(document)
    return document.data


def _check_capitals(document: Document) -> None:
    """Raise CatalogError for two options that become the same environment variable, such as `name` and `Name`."""
    options = document.data.get("options") or {}
    first = {name.upper(): name for name in reversed(options)}
    for name in options:
        if first[name.upper()] != name:
            alike = f"no name that is {quoted(first[name.upper()])} in capitals, as scripts are given it"
            raise CatalogError(str(RecipeError(document.places["options", name, KEY], alike, quoted(name))))
