# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a recipe as plain data, both ways: steps, dependencies, parameters, and what these consist of.

A recipe's file and a compiled playbook use the same words, so one reader and one writer serve both. The dataclasses of
`recipe_model` are the table: a field's name is its key, its type says how it is read, and what equals its default is
not written. The tables below have only what a type cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS as CRITERIA
from rack_recipes.errors import UsageError, nearest
from rack_recipes.recipe.recipe_model import (
    CacheKey,
    Dependency,
    Hook,
    Isolate,
    Lock,
    Members,
    Param,
    ResultPart,
    Retry,
    Sandbox,
    Serve,
    Step,
    Success,
)

Data = Mapping[str, Any]
Convert = Callable[[Any], Any]
Written = tuple[str, Any, Convert | None]  # a field, its default, and how its value is written

# The words of a condition that may stand beside a parameter's own.
PARAM_LIMITS = tuple(word for word, criterion in CRITERIA.items() if criterion.expected)
PYTHON = "python"  # the type of a step that does not name one
# What the data of a part does not have: its key in a mapping, its place in the file.
OUTSIDE: Mapping[type, frozenset[str]] = {
    Step: frozenset(("place", "entry", "keys")),
    Hook: frozenset(("place",)),
    Lock: frozenset(("name",)),
    ResultPart: frozenset(("key",)),
    Param: frozenset(("name", "required", "limits")),
    Serve: frozenset(("entry",)),
}
IN_MAPPINGS = frozenset((ResultPart,))  # parts that stand in a mapping, each under its key
ALWAYS_WRITTEN: Mapping[type, frozenset[str]] = {
    Retry: frozenset(("max",)),
    Lock: frozenset(("capacity", "of")),
    Param: frozenset(("type",)),
}
OF_RULE = {"within": "by", "across": "by", "by": "by", "random": "seed", "size": "size"}  # the field of its value


def _short_members(data: Data) -> Any:
    rule = data.get("rule", "")
    value = OF_RULE.get(rule)
    rest = {name: each for name, each in data.items() if name not in ("rule", value)}
    if value:
        return {rule: data.get(value, 0), **rest}
    return rule if rule and not rest else {**({"pairs": rule} if rule else {}), **rest}


# The short form of a part, made of all the fields that are written.
SHORT_FORMS: Mapping[type, Convert] = {
    Dependency: lambda data: data["step"] if len(data) == 1 else data,
    Sandbox: lambda data: data or True,
    Success: lambda data: "none" if data.get("none") else data,
    CacheKey: lambda data: data["key"] if len(data) == 1 else data,
    ResultPart: lambda data: data["at"] if data.keys() == {"at"} else data,
    Isolate: lambda data: data or True,
    Members: _short_members,
}


def _whole_members(data: str | Data) -> Data:
    """The fields of `all`, `{within: rack}`, `{pairs: all, at_once: 4}`, `{size: 8}` and their like."""
    if isinstance(data, str):
        return {"rule": str(data)}
    found = {name: value for name, value in data.items() if name not in ("pairs", *OF_RULE)}
    for rule, field in OF_RULE.items():
        if rule in data:
            return {"rule": rule, field: data[rule], **found}
    return {**({"rule": data["pairs"]} if "pairs" in data else {}), **found}


def _whole_dependency(data: str | Data) -> Data:
    if isinstance(data, str):
        return {"step": str(data)}
    hosts = str(data.get("hosts") or "")
    return {**data, "step": str(data["step"]), "hosts": "" if hosts == "same" else hosts}


# The fields that a short form stands for. Without `max` a deadline alone ends the tries; without both there is one try.
WHOLE_FORMS: Mapping[type, Convert] = {
    Dependency: _whole_dependency,
    Sandbox: lambda data: {} if data is True else data,
    Success: lambda data: {"none": True} if isinstance(data, str) else data,
    CacheKey: lambda data: {"key": str(data)} if isinstance(data, str) else data,
    ResultPart: lambda data: {"at": str(data)} if isinstance(data, str) else data,
    Retry: lambda data: {"max": None, **data} if "deadline_sec" in data else data,
    Isolate: lambda data: {} if data is True else data,
    Members: _whole_members,
}


def parts_written(data: Any) -> tuple[ResultPart, ...]:
    """The keys in `writes`, with the part of a module's result that each takes; in a list each takes all of it."""
    if isinstance(data, Mapping):
        return tuple(from_data(ResultPart, part, key=str(key)) for key, part in data.items())
    return tuple(ResultPart(str(key)) for key in data or ())


def _writes_to_data(parts: tuple[ResultPart, ...]) -> Any:
    """A list of keys where each takes the whole result, else a mapping."""
    if all(part.is_whole for part in parts):
        return [part.key for part in parts]
    return {part.key: to_data(part) for part in parts}


# Fields of a step that may be written in a way that their type does not tell.
READ: Mapping[str, Convert] = {
    "become": lambda data: data if isinstance(data, str) else "root" if data else "",
    "sandbox": lambda data: None if data is None or data is False else from_data(Sandbox, data),
    "cache_key": lambda data: from_data(CacheKey, data) if data else None,
    "isolate": lambda data: from_data(Isolate, data) if data else None,
    "writes": parts_written,
}
WRITE: Mapping[str, Convert] = {
    "become": lambda user: True if user == "root" else user,
    "writes": _writes_to_data,
}


def to_data(part: Any) -> Any:
    """A part in the words of a recipe: what differs from its defaults, in the short form where there is one."""
    kind = part.__class__
    data = {}
    for name, default, write in _written(kind):
        value = getattr(part, name)
        if value is not default and value != default:
            data[name] = write(value) if write else value
    return SHORT_FORMS[kind](data) if kind in SHORT_FORMS else data


def param_to_data(param: Param) -> dict[str, Any]:
    """A parameter: its default where it has one, even `null`, and its limits beside its other words."""
    data = {"type": param.type, "default": param.default, **to_data(param), **param.limits}
    if param.required:
        del data["default"]
    return data


def from_data[T](kind: type[T], data: object, **outside: Any) -> T:
    """A part of a recipe; `outside` has the fields that its data does not have. Raises UsageError for unknown ones."""
    found = fields_from_data(kind, data)
    if kind is Step:
        found.setdefault("type", PYTHON)
    return kind(**found, **outside)


def fields_from_data(kind: type, data: Any) -> dict[str, Any]:
    """The fields that the data of a part has, as the model holds them. Raises UsageError for unknown ones."""
    whole: Data = WHOLE_FORMS[kind](data) if kind in WHOLE_FORMS else data
    _check(whole, field_names(kind), kind.__name__.lower())
    readers = _readers(kind)
    return {name: readers[name](value) if name in readers else value for name, value in whole.items()}


def param_from_data(name: str, data: Data) -> Param:
    """A parameter, its default as it is written. Raises UsageError for a word that none has."""
    _check(data, field_names(Param).union(PARAM_LIMITS), f"parameter {name!r}")
    limits = {word: data[word] for word in PARAM_LIMITS if word in data}
    words = {word: value for word, value in data.items() if word not in limits}
    return from_data(Param, words, name=name, required="default" not in data, limits=limits)


def label_of(dependency: str | Data) -> str:
    """The label of a dependency, by its data."""
    return dependency if isinstance(dependency, str) else from_data(Dependency, dependency).label


def dependencies(step: Data) -> tuple[Dependency, ...]:
    """The steps that a step needs, by its data."""
    return tuple(from_data(Dependency, need) for need in step.get("depends_on") or ())


def check_step(step: Data) -> None:
    """Raise UsageError for a field of a compiled step, or of a part of it, that nothing would act on."""
    _check(step, COMPILED_FIELDS, "step", "name")
    for name, kind in parts_of_step().items():
        if name in step:
            _check_part(kind, step[name], f"step {step['name']!r}, {name}")


def check_hook(hook: Data) -> None:
    """Raise UsageError for a field of a compiled hook that nothing would act on."""
    _check(hook, field_names(Hook), "hook", "module")


def number(value: object) -> Any:
    """A whole number without its `.0`; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def field_names(kind: type) -> frozenset[str]:
    """The fields that the data of a part may have."""
    return frozenset(field.name for field in fields(kind)) - OUTSIDE.get(kind, frozenset())


@cache
def parts_of_step() -> dict[str, type]:
    """The fields of a step that have fields of their own, or lists of such, and what these are."""
    inner = ((name, _dataclass_in(hint)) for name, hint in get_type_hints(Step).items() if name in COMPILED_FIELDS)
    return {name: kind for name, kind in inner if kind}


def _compiled_fields() -> tuple[str, ...]:
    """In the order of a compiled playbook."""
    moved = {"name", "after", *LAST, *OUTSIDE[Step], "become", "delegate_to"}  # the last two are the task's keywords
    names = [field.name for field in fields(Step) if field.name not in moved]
    behind = names.index("depends_on") + 1
    return ("name", *names[:behind], "after", *names[behind:], *LAST)


LAST = ("tags", "locks", "limits", "sandbox", "cache_key", "success", "skip")  # what a reader needs least
COMPILED_ORDER = _compiled_fields()
COMPILED_FIELDS = frozenset(COMPILED_ORDER)


def _check(data: Data, known: frozenset[str], owner: str, named_by: str = "") -> None:
    """Raise UsageError for an unknown field, with whose it is: `named_by` is the field that has the owner's name."""
    if data.keys() <= known:
        return
    owner = f"{owner} {str(data.get(named_by))!r}" if named_by else owner
    unknown = next(str(name) for name in data if name not in known)
    near = nearest(unknown, sorted(known))
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(sorted(known))}"
    raise UsageError(f"{owner}: expected a known field, got {unknown!r} ({hint})")


def _check_part(kind: type, data: object, owner: str) -> None:
    """Check a part, or each of a list or of a mapping of parts. What is no mapping is a short form, or a template."""
    if kind in IN_MAPPINGS and isinstance(data, Mapping):
        data = [*data.values()]
    for each in data if isinstance(data, (list, tuple)) else (data,):
        if isinstance(each, Mapping):
            _check(WHOLE_FORMS[kind](each) if kind in WHOLE_FORMS else each, field_names(kind), owner)


@cache
def _readers(kind: type) -> dict[str, Convert]:
    """How the fields of a part are read, for those whose data is not what the model holds already."""
    special = READ if kind is Step else {}
    found = {name: special.get(name) or _reader(hint) for name, hint in get_type_hints(kind).items()}
    return {name: read for name, read in found.items() if read}


def _reader(hint: Any) -> Convert | None:
    origin, inner = get_origin(hint), get_args(hint)
    if hint in (int, float):  # to JSON Schema 3.0 is a whole number, too
        return hint  # type: ignore[no-any-return]
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(from_data, hint)
    if isinstance(hint, UnionType):
        return _union_reader(inner)
    if origin is tuple:
        return _tuple_reader(inner[0])
    read = _reader(inner[1]) if origin is Mapping else None
    return read and (lambda data: {name: read(value) for name, value in data.items()})


def _union_reader(kinds: tuple[object, ...]) -> Convert | None:
    """Text, true, false and null stay as they are, where they are allowed; a union has at most one other type."""
    plain = tuple(kind for kind in kinds if kind in (str, bool, NoneType))
    read = next((_reader(kind) for kind in kinds if kind not in plain), None)
    return read and (lambda data: data if isinstance(data, plain) else read(data))


def _tuple_reader(kind: object) -> Convert:
    """A list; a single condition may stand for a list of one."""
    if get_origin(kind) is Mapping:
        return lambda data: tuple(data) if isinstance(data, (list, tuple)) else (data,)
    read = _reader(kind)
    return (lambda data: tuple(map(read, data))) if read else tuple


@cache
def _written(kind: type) -> tuple[Written, ...]:
    hints, outside = get_type_hints(kind), OUTSIDE.get(kind, frozenset())
    special = WRITE if kind is Step else {}
    found = [
        (field.name, _default(kind, field), special.get(field.name) or _writer(hints[field.name]))
        for field in fields(kind)
        if field.name not in outside
    ]
    return tuple(found)


def _default(kind: type, field: Field[object]) -> Any:
    """What is not written; for a field that is always written nothing is."""
    if field.name in ALWAYS_WRITTEN.get(kind, ()):
        return MISSING
    if kind is Step and field.name == "type":
        return PYTHON
    return field.default if field.default_factory is MISSING else field.default_factory()


def _writer(hint: object) -> Convert | None:
    if float in (hint, *get_args(hint)):
        return number
    if _dataclass_in(hint):
        return (lambda parts: [*map(to_data, parts)]) if get_origin(hint) is tuple else to_data
    return None


def _dataclass_in(hint: object) -> type | None:
    """The dataclass in `Part`, `Part | None` or `tuple[Part, ...]`."""
    return next((kind for kind in (hint, *get_args(hint)) if is_dataclass(kind) and isinstance(kind, type)), None)
