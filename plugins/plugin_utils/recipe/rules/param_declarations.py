# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parameters as they are declared: limits that fit the type, defaults that fit both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import keys_in, names_in
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.param_values import (
    FITS,
    KINDS,
    LIMITS,
    READERS,
    WrongError,
    is_open,
    limited,
    typed,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Path
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.conditions import compiles, not_crossed
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.node import Node, text
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.references import (
    KnownNames,
    errors_in,
    texts,
    types_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import quoted, shown
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import Document

OF_TYPES = {"min": ("int", "float"), "max": ("int", "float"), "matches": ("str",)}


def param_errors(document: Document) -> Iterator[RecipeError]:
    """What is wrong with the parameters of a file."""
    params = document.data.get("params")
    declared = params if isinstance(params, dict) else {}
    parts = [Node(document, ("params", name), data) for name, data in declared.items() if isinstance(data, dict)]
    for part in parts:
        if text(part.data.get("type", "str")) in KINDS:
            yield from limit_errors(part)
            yield from default_errors(part)
    yield from references_of_defaults(document, parts)


def limit_errors(part: Node) -> Iterator[RecipeError]:
    """Limits that say nothing of values of the type, or that contradict each other."""
    kind = part.data.get("type", "str")
    for word, kinds in OF_TYPES.items():
        if word in part.data and kind not in kinds:
            expected = f"no '{word}' in a parameter of type {kind}: it is for {' and '.join(kinds)}"
            yield part.error((word, KEY), expected, shown(part.data[word]))
    for path, value in bounds(part):
        try:
            typed(kind, value)
        except WrongError as error:
            yield part.error(path, error.expected, error.got)
    yield from not_crossed(part)
    yield from compiles(part)


def bounds(part: Node) -> Iterator[tuple[Path, Any]]:
    """Values that a value of the parameter is compared with."""
    yield from (((word,), part.data[word]) for word in ("eq", "ne") if word in part.data)
    items = part.data.get("one_of")
    yield from ((("one_of", index), item) for index, item in enumerate(items if isinstance(items, list) else ()))


def default_errors(part: Node) -> Iterator[RecipeError]:
    """A default that nobody could give as a value."""
    if "default" not in part.data:
        return
    value = part.data["default"]
    if part.data.get("secret") is True:
        yield part.error(("default", KEY), "no default of a secret parameter: it would stand in the file", "one")
    elif not is_open(value):
        yield from unfit_default(part, part.data.get("type", "str"), value)
    elif "{{" in str(value):
        expected = "a value without a Jinja expression: parameters are known before Ansible reads any"
        yield part.error(("default",), expected, shown(value))


def unfit_default(part: Node, kind: str, value: Any) -> Iterator[RecipeError]:
    """A default of another type, or outside of the limits."""
    try:
        plain = typed(kind, value)
    except WrongError as error:
        remark, near = slip(kind, value)
        yield part.error(("default",), error.expected, error.got + remark, near)
        return
    try:
        limited({word: part.data[word] for word in LIMITS if word in part.data}, plain)
    except WrongError as error:
        yield part.error(("default",), error.expected, error.got)


def slip(kind: str, value: Any) -> tuple[str, str]:
    """A remark on quotes that are missing or too many, or the value that was probably meant."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.schema.suggestions import flow

    if not isinstance(value, str):
        return (": write it in quotes", "") if kind == "str" and isinstance(value, (bool, int, float)) else ("", "")
    read = READERS[kind](value)
    if not FITS[kind](read):
        return "", ""
    return (": leave out the quotes", "") if flow(read) == value else ("", flow(read))


def references_of_defaults(document: Document, parts: list[Node]) -> Iterator[RecipeError]:
    """References in defaults: they lead to other parameters, not in a circle, and not to secrets."""
    types = types_of(document)
    scope = KnownNames({"params"}, {"params": tuple(types)}, types)
    secret = {str(part.path[-1]) for part in parts if part.data.get("secret") is True}
    needs = {str(part.path[-1]): names_in(part.data.get("default"), "params") for part in parts}
    for part in parts:
        for path, found in texts(part.data.get("default"), ("default",)):
            yield from errors_in(part, path, found, scope)
            if hidden := sorted(names_in(found, "params") & secret):
                expected = "a default without a secret parameter, whose value would show"
                yield part.error(path, expected, quoted(f"${{params.{hidden[0]}}}"))
    for name in circle_of(needs)[:1]:
        part = Node(document, ("params", name), document.data["params"][name])
        got = " -> ".join([*circle_of(needs), name])
        yield part.error(("default",), "a default that does not rest on itself", got)


def circle_of(needs: dict[str, set[str]]) -> list[str]:
    """Parameters each of whose defaults needs the next one, and the last the first; none where all can be known."""
    left = {name: others & needs.keys() for name, others in needs.items()}
    while known := [name for name, others in left.items() if not others & left.keys()]:
        left = {name: others for name, others in left.items() if name not in {*known}}
    names: list[str] = []
    name = next(iter(left), "")
    while name and name not in names:
        names.append(name)
        name = min(left[name] & left.keys())
    return names[names.index(name) :] if name else []


def known_before_the_run(document: Document) -> Iterator[RecipeError]:
    """Keys of the context in defaults: nothing is in it yet when a recipe starts that nobody includes."""
    params = document.data.get("params")
    for name, param in (params if isinstance(params, dict) else {}).items():
        part = Node(document, ("params", name), param if isinstance(param, dict) else {})
        for path, found in texts(part.data.get("default"), ("default",)):
            if keys_in(found):
                expected = "a default that is known before the run (only an included recipe may rest on the context)"
                yield part.error(path, expected, quoted(found))
