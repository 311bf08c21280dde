# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that no value can meet, as far as the file shows it: bounds that leave nothing, a value that is no number."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS
from ansible_collections.rack.recipes.plugins.module_utils.language.references import parse_reference
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.recipe_node import Node, is_number, text
from rack_recipes.recipe.rules.references import types_of
from rack_recipes.recipe.substitution import BARE_REFERENCE, REFERENCE
from rack_recipes.recipe.values_in_messages import listed, quoted, shown

OF_NUMBERS = [word for word, criterion in LIMITS.items() if criterion.room]
OF_TEXTS = [word for word, criterion in LIMITS.items() if criterion.takes == "text"]
KINDS = {"str": "text", "bool": "true or false", "list": "a list", "dict": "a mapping"}  # types that are no number


def possible_limits(node: Node) -> Iterator[RecipeError]:
    """What is wrong with limits that contradict each other, or their value. References may become anything."""
    limits = {word: node.data[word] for word in LIMITS if word in node.data}
    numeric, textual = ([word for word in limits if word in words] for words in (OF_NUMBERS, OF_TEXTS))
    if numeric and textual:
        expected = f"no {textual[0]!r} beside {numeric[0]}: no value is a text and a number"
        yield node.error((textual[0],), expected, shown(limits[textual[0]]))
    elif choices := _choices(limits):
        yield from _nothing_left(node, limits, choices)
    else:
        yield from _empty_range(node, limits)


def possible_value(condition: Node) -> Iterator[RecipeError]:
    """A value that is never a number, with limits for numbers; a text for them is never a number, either."""
    numeric = [word for word in OF_NUMBERS if word in condition.data]
    kind = "" if "quantile" in condition.data else _kind(condition)
    if kind and numeric:
        expected = f"a number for {listed(numeric)}, or one reference such as ${{numbers.stats_v1.mean}}"
        yield condition.error(("value",), expected, kind)


def _kind(condition: Node) -> str:
    """What a value is that is no number, in words; empty where it may be one."""
    value = condition.data.get("value")
    whole = text(value)
    if not isinstance(value, str):
        return "" if is_number(value) or "value" not in condition.data else shown(value)
    if "{{" in whole or BARE_REFERENCE.fullmatch(whole):
        return ""
    if found := REFERENCE.fullmatch(whole):
        word, path, _host = parse_reference(found) or ("", [], "")
        declared = types_of(condition.document).get(path[0], "") if word == "params" and len(path) == 1 else ""
        return f"{quoted(whole)}, which is {KINDS[declared]}" if declared in KINDS else ""
    return f"the text {quoted(whole)}"


def _is_known(value: object) -> bool:
    return not ("${" in str(value) or "{{" in str(value))


def _choices(limits: dict[str, Any]) -> tuple[str, list[Any]] | None:
    """The word that names all values that are accepted, with these; None where there is no such word."""
    if "eq" in limits and _is_known(limits["eq"]):
        return "eq", [limits["eq"]]
    if isinstance(limits.get("one_of"), list) and _is_known(limits["one_of"]):
        return "one_of", limits["one_of"]
    return None


def _nothing_left(node: Node, limits: dict[str, Any], choices: tuple[str, list[object]]) -> Iterator[RecipeError]:
    source, left = choices
    for word, bound in limits.items():
        if word == source or not _is_known(bound) or not left:
            continue
        left = [value for value in left if _holds(word, value, bound)]
        if not left:
            told = shown(limits[source]) if source == "eq" else listed(limits[source])
            yield node.error((word,), f"{word} to leave a value that {source} accepts ({told})", shown(bound))


def _holds(word: str, value: object, bound: object) -> bool:
    """Whether a value holds a bound. What is wrong with a bound has a rule of its own."""
    try:
        return LIMITS[word].compare(value, bound)[0]
    except ValueError:
        return is_number(value) if word in OF_NUMBERS else isinstance(value, str)


def _empty_range(node: Node, limits: dict[str, object]) -> Iterator[RecipeError]:
    """A tolerance that is outside of `min` and `max`; these two have a rule of their own."""
    within = limits.get("within")
    of = within.get("of") if isinstance(within, dict) else None
    if not isinstance(within, dict) or not is_number(of):
        return
    by, percent = within.get("by"), within.get("percent")
    reach = by if is_number(by) else abs(of) * percent / 100 if is_number(percent) else inf
    for word, sign in (("min", 1), ("max", -1)):
        bound = limits.get(word)
        if is_number(bound) and sign * (bound - of) > reach:
            yield node.error((word,), f"{word} to leave a value within {reach:g} of {of:g}", shown(bound))
