# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks and converts a scriptlet's arguments by the Ansible argument spec that it declares, without Ansible."""

from __future__ import annotations

import json
import os

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable

    Spec = Mapping[str, Any]
    Options = Mapping[str, Spec]

TRUE = ("yes", "on", "1", "true", "y", "t")
FALSE = ("no", "off", "0", "false", "n", "f")
HIDDEN = "********"
OF_ELEMENTS = ("options", "choices", "no_log", "min", "max")  # parts of a list's spec that hold for its elements


class WrongError(ValueError):
    """A value that an argument does not take.

    `name` is the argument, or the path to a value inside it, as in `ports[0].speed`. `expected` and `got` are in words.
    """

    def __init__(self, name: str, expected: str, got: str) -> None:
        super().__init__(f"argument {name!r}: expected {expected}, got {got}")
        self.name = name
        self.expected = expected
        self.got = got


def find_wrong_names(options: Options, given: Mapping[str, object]) -> list[tuple[str, str]]:
    """The names that are missing or unknown, each with what is wrong. Values are not checked."""
    found: list[tuple[str, str]] = []
    if not given.keys() <= options.keys():
        accepted = {*options, *(alias for spec in options.values() for alias in spec.get("aliases", ()))}
        found += [(name, _unknown(name, accepted)) for name in given if name not in accepted]
    for name, spec in options.items():
        if spec.get("required") and _given(name, spec, given) is None:
            found.append((name, "is required"))
    return found


def spec_of(options: Options, name: str) -> Spec | None:
    """The spec of the argument with this name or alias; None where there is none."""
    if name in options:
        return options[name]
    return next((spec for spec in options.values() if name in spec.get("aliases", ())), None)


def _given(name: str, spec: Spec, given: Mapping[str, object]) -> object:
    """The value of an argument, given under its name or an alias; None where it was not given."""
    value = given.get(name)
    if value is None and "aliases" in spec:
        return next((given[alias] for alias in spec["aliases"] if given.get(alias) is not None), None)
    return value


def _unknown(name: str, accepted: set[str]) -> str:
    from difflib import get_close_matches  # slow to load, and only a mistake needs it

    near = get_close_matches(name, sorted(accepted), n=1)
    hint = f", did you mean {near[0]!r}?" if near else f"; it takes {', '.join(sorted(accepted)) or 'none'}"
    return "is not an argument" + hint


def complete_arguments(options: Options | None, given: Mapping[str, object], inside: str = "") -> dict[str, object]:
    """The arguments with defaults filled in and values converted; without `options`, as they were given.

    Raises ValueError, which names the faulty argument. `inside` is put before this name: for the options of an option
    it is the path to them, with a dot at its end.
    """
    if options is None:
        return dict(given)
    for name, problem in find_wrong_names(options, given):
        raise ValueError(f"argument {inside + name!r} {problem}")
    found: dict[str, object] = {}
    for name, spec in options.items():
        value = _given(name, spec, given)
        value = spec.get("default") if value is None else value
        found[name] = None if value is None else converted(inside + name, spec, value)
    return found


def converted(path: str, spec: Spec, value: object) -> object:
    """A value, with all that is inside it, converted and checked by its spec.

    `path` is its name in errors. Raises WrongError for a value that does not fit, and ValueError for a missing or
    unknown name inside it or for an unknown type.
    """
    value = convert(path, value, spec.get("type", "str"), secret=bool(spec.get("no_log")))
    if isinstance(value, list) and "elements" in spec:
        inner = {"type": spec["elements"], **{name: spec[name] for name in OF_ELEMENTS if name in spec}}
        return [converted(f"{path}[{index}]", inner, item) for index, item in enumerate(value)]
    if isinstance(value, dict) and spec.get("options"):
        value = complete_arguments(spec["options"], value, path + ".")
    if "choices" in spec:
        _check_choices(path, spec, value)
    if isinstance(value, (int, float)) and not (spec.get("min", value) <= value <= spec.get("max", value)):
        raise WrongError(path, _bounds(spec), _shown(value, spec.get("no_log")))
    return value


def _bounds(spec: Spec) -> str:
    least, most = (f"{spec[name]:_}".replace("_", ",") if name in spec else "" for name in ("min", "max"))
    unit = f" {spec['unit']}" if "unit" in spec else ""
    return (
        f"from {least} to {most}{unit}" if least and most else f"{least or most}{unit} or {'more' if least else 'less'}"
    )


def _check_choices(path: str, spec: Spec, value: object) -> None:
    choices = spec["choices"]
    for item in value if isinstance(value, list) else [value]:
        if choices is not None and item not in choices:
            expected = ", ".join(map(str, choices))
            raise WrongError(path, f"one of {expected}", _shown(item, spec.get("no_log")))


def convert(name: str, value: object, kind: str, *, secret: bool = False) -> object:
    """`value` as the type that Ansible calls `kind`.

    Raises WrongError where it cannot be converted, which does not show a `secret`, and ValueError for an unknown type.
    """
    if kind not in CONVERSIONS:
        raise ValueError(f"argument {name!r}: {kind!r} is no type of an argument")
    try:
        return CONVERSIONS[kind](value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise WrongError(name, NAMES.get(kind, f"a {kind}"), _shown(value, secret)) from None


def arguments_for_log(options: Options | None, params: Mapping[str, object]) -> str:
    """Complete arguments as JSON, with `********` for what must not be logged."""
    return json.dumps({name: _without_secrets((options or {}).get(name, {}), value) for name, value in params.items()})


def _without_secrets(spec: Spec, value: object) -> object:
    if spec.get("no_log") and value is not None:
        return HIDDEN
    inner = spec.get("options") or {}
    if isinstance(value, dict):
        return {name: _without_secrets(inner.get(name, {}), item) for name, item in value.items()}
    return [_without_secrets({"options": inner}, item) for item in value] if isinstance(value, list) else value


def _shown(value: object, secret: object) -> str:
    return "a value that is not shown" if secret else mark_if_long(repr(value))


def _str(value: object) -> str:
    if value is None or isinstance(value, (dict, list)):
        raise TypeError
    return value if isinstance(value, str) else json.dumps(value)


def _path(value: object) -> str:
    """A path in which `~` and variables are expanded for the user on the host, as Ansible does."""
    return os.path.expanduser(os.path.expandvars(_str(value)))


def _bool(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in TRUE + FALSE:
        raise ValueError
    return text in TRUE


def _int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not float("-inf") < number < float("inf"):
        raise ValueError
    return number


def _list(value: object) -> list[object]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, dict):
        raise TypeError
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _dict(value: object) -> dict[str, object]:
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise TypeError
    return found


CONVERSIONS: dict[str, Callable[[Any], object]] = {
    "str": _str,
    "path": _path,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "list": _list,
    "dict": _dict,
    "raw": lambda value: value,
    "json": lambda value: value if isinstance(value, str) else json.dumps(value),
}
NAMES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "dict": "a mapping",
    "json": "JSON data",
}
