# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet's arguments against the Ansible argument spec that it declares, without Ansible."""

from __future__ import annotations

import json

TRUE = ("yes", "on", "1", "true", "y", "t")
FALSE = ("no", "off", "0", "false", "n", "f")


def problems_of_names(options: dict[str, dict], given: object) -> list[tuple[str, str]]:
    """Names that are missing or unknown, each with what is wrong; known before any value is."""
    accepted = set(options) | {alias for spec in options.values() for alias in spec.get("aliases", ())}
    found = [(name, _unknown(name, accepted)) for name in given if name not in accepted]
    for name, spec in options.items():
        if spec.get("required") and not any(known in given for known in (name, *spec.get("aliases", ()))):
            found.append((name, "is required"))
    return found


def _unknown(name: str, accepted: set[str]) -> str:
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(name, sorted(accepted), n=1)
    hint = ", did you mean %r?" % near[0] if near else "; it takes %s" % (", ".join(sorted(accepted)) or "none")
    return "is not an argument" + hint


def complete(options: dict[str, dict] | None, given: dict[str, object]) -> dict[str, object]:
    """The arguments with defaults and types as declared; raises ValueError that names the faulty one."""
    if options is None:
        return dict(given)
    for name, problem in problems_of_names(options, given):
        raise ValueError("argument %r %s" % (name, problem))
    return {name: _value(name, spec, given) for name, spec in options.items()}


def _value(name: str, spec: dict, given: dict[str, object]) -> object:
    names = (name, *spec.get("aliases", ()))
    value = next((given[known] for known in names if given.get(known) is not None), spec.get("default"))
    if value is None:
        return None
    value = convert(name, value, spec.get("type", "str"))
    if spec.get("type") == "list" and "elements" in spec:
        value = [convert("%s[%d]" % (name, index), item, spec["elements"]) for index, item in enumerate(value)]
    if spec.get("type") == "dict" and "options" in spec:
        value = complete(spec["options"], value)
    _check_choices(name, value, spec.get("choices"))
    return value


def _check_choices(name: str, value: object, choices: list | None) -> None:
    for item in value if isinstance(value, list) else [value]:
        if choices is not None and item not in choices:
            raise ValueError("argument %r: expected one of %s, got %r" % (name, ", ".join(map(str, choices)), item))


def convert(name: str, value: object, kind: str) -> object:
    """`value` as the type that Ansible calls `kind`; raises ValueError."""
    try:
        return CONVERSIONS[kind](value)
    except (TypeError, ValueError):
        raise ValueError("argument %r: expected %s, got %.80r" % (name, NAMES.get(kind, kind), value)) from None


def _str(value: object) -> str:
    if isinstance(value, (dict, list)):
        raise TypeError
    return value if isinstance(value, str) else json.dumps(value)


def _bool(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in TRUE + FALSE:
        raise ValueError
    return text in TRUE


def _int(value: object) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError
    return int(value)  # type: ignore[call-overload,no-any-return]


def _float(value: object) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)  # type: ignore[arg-type]


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


CONVERSIONS = {
    "str": _str,
    "path": _str,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "list": _list,
    "dict": _dict,
    "raw": lambda value: value,
    "json": lambda value: value if isinstance(value, str) else json.dumps(value),
}
NAMES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "path": "a path"}
