# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for the declarations of parameters: limits have to suit the type, and defaults both of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS as CRITERIA
from ansible_collections.rack.recipes.plugins.module_utils.language.references import keys_in, names_in
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.param_values import FITS, KINDS, READERS, WrongError, is_open, typed, within_limits
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.recipe_node import Node, text
from rack_recipes.recipe.rules.possible_limits import possible_limits
from rack_recipes.recipe.rules.references import KnownNames, reference_errors, reference_texts, types_of
from rack_recipes.recipe.rules.steps import min_not_above_max, valid_pattern
from rack_recipes.recipe.shell_texts import has_variables
from rack_recipes.recipe.steps_to_and_from_data import PARAM_LIMITS
from rack_recipes.recipe.values_in_messages import quoted, shown
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.recipe.yaml.values_and_positions import KEY

# The types of parameters that a limit is for, by what it takes; other limits are for all types.
TYPES_OF_LIMITS = {"number": ("int", "float"), "text": ("str",)}


def param_errors(document: Document) -> Iterator[RecipeError]:
    """What is wrong with the parameters of a file."""
    params = document.data.get("params")
    declared = params if isinstance(params, dict) else {}
    parts = [Node(document, ("params", name), data) for name, data in declared.items() if isinstance(data, dict)]
    for node in parts:
        if text(node.data.get("type", "str")) in KINDS:
            yield from limit_errors(node)
            yield from default_errors(node)
    yield from references_of_defaults(document, parts)


def limit_errors(node: Node) -> Iterator[RecipeError]:
    """Limits that do not apply to the type, or that contradict each other."""
    kind = node.data.get("type", "str")
    for word in PARAM_LIMITS:
        kinds = TYPES_OF_LIMITS.get(CRITERIA[word].takes, (kind,))
        if word in node.data and kind not in kinds:
            expected = f"no '{word}' in a parameter of type {kind}: it is for {' and '.join(kinds)}"
            yield node.error((word, KEY), expected, shown(node.data[word]))
    for path, value in bounds(node):
        try:
            typed(kind, value)
        except WrongError as error:
            yield node.error(path, error.expected, error.got)
    yield from min_not_above_max(node)
    yield from possible_limits(node)
    yield from valid_pattern(node)


def bounds(node: Node) -> Iterator[tuple[Path, Any]]:
    """The values in limits that a parameter's value is compared with, each with its path."""
    for word in PARAM_LIMITS:
        value, takes = node.data.get(word), CRITERIA[word].takes
        if takes == "any" and word in node.data:
            yield (word,), value
        if takes == "list" and isinstance(value, list):
            yield from (((word, index), item) for index, item in enumerate(value))


def default_errors(node: Node) -> Iterator[RecipeError]:
    """A default that would be refused as a value."""
    if "default" not in node.data:
        return
    value = node.data["default"]
    if node.data.get("secret") is True:
        yield node.error(("default", KEY), "no default of a secret parameter: it would stand in the file", "one")
    elif not is_open(value):
        yield from wrong_default(node, node.data.get("type", "str"), value)
    elif "{{" in str(value):
        expected = "a value without a Jinja expression: parameters are known before Ansible reads any"
        yield node.error(("default",), expected, shown(value))


def wrong_default(node: Node, kind: str, value: object) -> Iterator[RecipeError]:
    """A default of another type or outside of the limits."""
    try:
        plain = typed(kind, value)
    except WrongError as error:
        remark, near = correction(kind, value)
        yield node.error(("default",), error.expected, error.got + remark, near)
        return
    try:
        within_limits({word: node.data[word] for word in PARAM_LIMITS if word in node.data}, plain)
    except WrongError as error:
        yield node.error(("default",), error.expected, error.got)


def correction(kind: str, value: object) -> tuple[str, str]:
    """A remark that quotes are missing or superfluous, or the value that was probably meant."""
    from rack_recipes.recipe.schema.schema_errors import as_flow_yaml

    if not isinstance(value, str):
        return (": write it in quotes", "") if kind == "str" and isinstance(value, (bool, int, float)) else ("", "")
    read = READERS[kind](value)
    if not FITS[kind](read):
        return "", ""
    return (": leave out the quotes", "") if as_flow_yaml(read) == value else ("", as_flow_yaml(read))


def references_of_defaults(document: Document, parts: list[Node]) -> Iterator[RecipeError]:
    """References in defaults may lead to other parameters, but not in a circle and not to secrets."""
    types = types_of(document)
    names = {"params": tuple(types)}
    secret = {str(node.path[-1]) for node in parts if node.data.get("secret") is True}
    needs = {str(node.path[-1]): names_in(node.data.get("default"), "params") for node in parts}
    for node in parts:
        default = node.data.get("default")
        scope = KnownNames({"params"}, names, types, has_variables("", "", str(node.path[-1]), default))
        for path, found in reference_texts(default, ("default",)):
            yield from reference_errors(node, path, found, scope)
            if hidden := sorted(names_in(found, "params") & secret):
                expected = "a default without a secret parameter, whose value would show"
                yield node.error(path, expected, quoted(f"${{params.{hidden[0]}}}"))
    for name in cycle_in(needs)[:1]:
        node = Node(document, ("params", name), document.data["params"][name])
        got = " -> ".join([*cycle_in(needs), name])
        yield node.error(("default",), "a default that does not rest on itself", got)


def cycle_in(needs: dict[str, set[str]]) -> list[str]:
    """Parameters whose defaults need each other in a circle; empty where there is none."""
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
    """Context keys in defaults of a recipe that is run itself: the context is empty when it starts."""
    params = document.data.get("params")
    for name, param in (params if isinstance(params, dict) else {}).items():
        node = Node(document, ("params", name), param if isinstance(param, dict) else {})
        for path, found in reference_texts(node.data.get("default"), ("default",)):
            if keys_in(found):
                expected = "a default that is known before the run (only an included recipe may rest on the context)"
                yield node.error(path, expected, quoted(found))
