# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of what a scriptlet declares of itself, in its sidecar or in its class."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import CONVERSIONS, convert, converted
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import KEY as CONTEXT_KEY
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.errors import CatalogError, Place, RecipeError
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.values_in_messages import closest, listed, shown

type Problem = tuple[Path, str, str, str]
type Check = Callable[[Any, Path], Iterator[Problem]]

ANALYSES = ("reads_results", "reads_history")  # what is for scriptlets that analyse their run
PLAIN = ("str", "int", "float")  # types whose choices can be compared with values directly
OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_declared(declared: Mapping[str, Any], places: Mapping[Path, Place]) -> None:
    """Raise CatalogError with every problem and its file, line and column.

    `places` has the position of each declared value, by the value's path.
    """
    found = [problem for name in declared for problem in _check(name, declared[name], TOP, ())]
    found += _analyses_only_the_run(declared)
    if found:
        errors = sorted((RecipeError(_place(path, places), *words) for path, *words in found), key=_by_place)
        raise CatalogError("\n".join(map(str, errors)))


def _by_place(error: RecipeError) -> Place:
    return error.place


def _place(path: Path, places: Mapping[Path, Place]) -> Place:
    """Return the position of a value, or of the nearest value around it that has one."""
    return next(places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places)


def _analyses_only_the_run(declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each part of the run that a scriptlet for single hosts declares to read."""
    if declared.get("scope", "host") == "host":
        for name in ANALYSES:
            if declared.get(name):
                yield (name,), "scope: run beside it, since only such a step sees the whole run", "scope: host", ""


def _check(name: str, value: Any, checks: Mapping[str, Check], path: Path) -> Iterator[Problem]:
    """Yield the problems of one declared name; an unknown name is a problem itself."""
    if name in checks:
        yield from checks[name](value, (*path, name))
    else:
        yield (*path, name, KEY), f"one of {listed(checks, len(checks))}", shown(name), closest(name, tuple(checks))


def _instance_of(kind: type, expected: str) -> Check:
    def check(value: Any, path: Path) -> Iterator[Problem]:
        if not isinstance(value, kind):
            yield path, expected, shown(value), ""

    return check


def _one_of(*words: str) -> Check:
    def check(value: Any, path: Path) -> Iterator[Problem]:
        if value not in words:
            near = closest(value, words) if isinstance(value, str) else ""
            yield path, f"one of {listed(words, len(words))}", shown(value), near

    return check


def _list_of(fits: Callable[[Any], bool], expected: str) -> Check:
    def check(value: Any, path: Path) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield path, f"a list, each item {expected}", shown(value), ""
        else:
            wrong = ((index, item) for index, item in enumerate(value) if not fits(item))
            yield from (((*path, index), expected, shown(item), "") for index, item in wrong)

    return check


def _none_or(check: Check) -> Check:
    return lambda value, path: (_anything if value is None else check)(value, path)


def _options(value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield path, "a mapping of options, such as {device: {type: str, required: true}}", shown(value), ""
        return
    for name, spec in value.items():
        if not OPTION.fullmatch(name):
            yield (*path, name, KEY), "an option's name of letters, digits and '_'", shown(name), ""
        yield from _option(name, spec, (*path, name))


def _option(name: str, spec: Any, path: Path) -> Iterator[Problem]:
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


def _anything(value: Any, path: Path) -> Iterator[Problem]:
    yield from ()


def _is_anything(value: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and CONTEXT_KEY.fullmatch(value) is not None


def _notice(value: Any, path: Path) -> Iterator[Problem]:
    if not _is_text(value) or not value.strip() or "\n" in value.strip():
        yield path, "one line that names what to use instead, such as: use steps.probe_v2", shown(value), ""


def _writes(value: Any, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a list of keys, or with a mapping of each key to what it holds."""
    if not isinstance(value, dict):
        yield from _keys(value, path)
        return
    for name, text in value.items():
        if not _is_key(name):
            yield (*path, name, KEY), A_KEY, shown(name), ""
        if not _is_text(text):
            yield (*path, name), "what this key holds, with units", shown(text), ""


def _verdicts(value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield path, "a mapping such as {failed: a limit is exceeded}", shown(value), ""
        return
    for name, text in value.items():
        if name not in VERDICTS:
            yield (
                (*path, name, KEY),
                f"one of {listed(VERDICTS, len(VERDICTS))}",
                shown(name),
                closest(name, tuple(VERDICTS)),
            )
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
ATTRIBUTES: dict[str, Check] = {
    "type": _one_of(*CONVERSIONS),
    "elements": _one_of(*CONVERSIONS),
    "required": _instance_of(bool, "true or false"),
    "no_log": _instance_of(bool, "true or false"),
    "choices": _list_of(_is_anything, "a value"),
    "aliases": _list_of(_is_text, "another name of the option"),
    "options": _options,
    "default": _anything,
    "description": _instance_of(str | list, "text or a list of texts"),  # type: ignore[arg-type]
    "unit": _instance_of(str, "text such as MiB"),
    "source": _instance_of(str, "text: where the default is from"),
    "is_code": _instance_of(bool, "true or false"),
}
