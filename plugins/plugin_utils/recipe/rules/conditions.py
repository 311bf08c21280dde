# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a condition must hold, and which bounds contradict each other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.node import Node, is_number, text
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.references import BARE
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.step_names import doubles
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import listed, quoted, shown
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import KEY

KNOWN = {*LIMITS, "value", "quantile", "name", "unit", "warn"}
HOMES = (("when",), ("retry", "until"), ("repeat", "until"), ("success", "values"))
WORDS = f"{', '.join([*LIMITS][:-1])} or {[*LIMITS][-1]}"


def condition_errors(step: Node) -> Iterator[RecipeError]:
    """What is wrong with the conditions of a step."""
    for home in HOMES:
        if home[0] in step.data:
            for condition in step.parts(*home):
                for rule in RULES:
                    yield from rule(condition)
    if isinstance(step.data.get("success"), dict):
        yield from measured_once(step)


def a_criterion(condition: Node) -> Iterator[RecipeError]:
    """A value of which nothing is said; a misspelt word is an error already."""
    if condition.data.keys() & LIMITS.keys() or condition.data.keys() - KNOWN or "value" not in condition.data:
        return
    yield condition.error((), f"at least one of {WORDS} in a condition", f"only {listed(condition.data)}")


def in_braces(condition: Node) -> Iterator[RecipeError]:
    """A value that is the name of one."""
    value = text(condition.data.get("value"))
    if BARE.fullmatch(value):
        expected = "a reference, such as ${numbers.stats_v1.mean}"
        yield condition.error(("value",), expected, quoted(value), f"${{{value}}}")


def with_warnings(condition: Node) -> Iterator[RecipeError]:
    """The bounds of a condition, and those that it warns at: outside of the hard ones they would never be met."""
    yield from bound_errors(condition)
    for warn in condition.parts("warn"):
        yield from bound_errors(warn)
        for word, outside in (("min", float.__lt__), ("max", float.__gt__)):
            hard, soft = condition.data.get(word), warn.data.get(word)
            if is_number(hard) and is_number(soft) and outside(float(soft), float(hard)):
                least = "at least" if word == "min" else "at most"
                expected = f"{least} {hard}, the hard bound: a warning comes before it"
                yield warn.error((word,), expected, shown(soft))


def bound_errors(part: Node) -> Iterator[RecipeError]:
    """Bounds that no value meets, or that cannot be understood."""
    for rule in BOUNDS:
        yield from rule(part)


def not_crossed(part: Node) -> Iterator[RecipeError]:
    """A largest number below the least one."""
    least, most = part.data.get("min"), part.data.get("max")
    if is_number(least) and is_number(most) and most < least:
        yield part.error(("max",), f"at least {least}, the min beside it", shown(most))


def one_distance(part: Node) -> Iterator[RecipeError]:
    """How near is said in one way."""
    for within in part.parts("within"):
        ways = within.data.keys() & {"percent", "by"}
        if not ways and within.data.keys() <= {"of"}:
            yield within.error((), "'percent' or 'by' in within", f"only {listed(within.data) or 'an empty mapping'}")
        elif len(ways) > 1:
            yield within.error(("by", KEY), "either 'percent' or 'by' in within", "both")


def compiles(part: Node) -> Iterator[RecipeError]:
    """A regular expression that is none."""
    pattern = text(part.data.get("matches"))
    if "${" in pattern or "{{" in pattern:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield part.error(("matches",), "a regular expression", f"{quoted(pattern)} ({error})")


def quantile_of_numbers(condition: Node) -> Iterator[RecipeError]:
    """A quantile is a number, and a regular expression is for text."""
    if "quantile" in condition.data and "matches" in condition.data:
        yield condition.error(("matches", KEY), "no 'matches' beside quantile, which is a number", "both")


def measured_once(step: Node) -> Iterator[RecipeError]:
    """Two measurements of one name in one step could not be told apart."""
    for success in step.parts("success"):
        values = list(success.parts("values"))
        names = [((*part.path[len(success.path) :], "name"), part.name) for part in values if part.name]
        yield from doubles(success, "values", names)


BOUNDS: tuple[Callable[[Node], Iterator[RecipeError]], ...] = (not_crossed, one_distance, compiles)
RULES = (a_criterion, in_braces, with_warnings, quantile_of_numbers)
