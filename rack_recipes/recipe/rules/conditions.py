# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for conditions: what a condition must have, and bounds that contradict each other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS, OTHERS
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.rules.step_names import duplicates
from rack_recipes.recipe.rules.unchecked_mapping import CONDITION_PATHS, Node, is_number, text
from rack_recipes.recipe.substitution import BARE_REFERENCE
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.values_in_messages import listed, quoted, shown

KNOWN = {*LIMITS, *OTHERS}
CRITERION_WORDS = f"{', '.join([*LIMITS][:-1])} or {[*LIMITS][-1]}"


def condition_errors(step: Node) -> Iterator[RecipeError]:
    """What is wrong with the conditions of a step."""
    for path in CONDITION_PATHS:
        if path[0] in step.data:
            for condition in step.children(*path):
                for rule in RULES:
                    yield from rule(condition)
    if isinstance(step.data.get("success"), dict):
        yield from unique_criterion_names(step)


def with_criterion(condition: Node) -> Iterator[RecipeError]:
    """A condition needs a criterion. Where it has unknown words, the schema's error is enough."""
    if condition.data.keys() & LIMITS.keys() or condition.data.keys() - KNOWN or "value" not in condition.data:
        return
    yield condition.error((), f"at least one of {CRITERION_WORDS} in a condition", f"only {listed(condition.data)}")


def value_in_braces(condition: Node) -> Iterator[RecipeError]:
    """The value has to be a reference in braces, not only its name."""
    value = text(condition.data.get("value"))
    if BARE_REFERENCE.fullmatch(value):
        expected = "a reference, such as ${numbers.stats_v1.mean}"
        yield condition.error(("value",), expected, quoted(value), f"${{{value}}}")


def consistent_warnings(condition: Node) -> Iterator[RecipeError]:
    """The bounds of a condition and of its `warn`. A warning bound outside of the hard one would never be reached."""
    yield from bound_errors(condition)
    for warn in condition.children("warn"):
        yield from bound_errors(warn)
        for word, outside in (("min", float.__lt__), ("max", float.__gt__)):
            hard, soft = condition.data.get(word), warn.data.get(word)
            if is_number(hard) and is_number(soft) and outside(float(soft), float(hard)):
                least = "at least" if word == "min" else "at most"
                expected = f"{least} {hard}, the hard bound: a warning comes before it"
                yield warn.error((word,), expected, shown(soft))


def bound_errors(node: Node) -> Iterator[RecipeError]:
    """Bounds that no value can meet, or that cannot be understood."""
    for rule in BOUNDS:
        yield from rule(node)


def min_not_above_max(node: Node) -> Iterator[RecipeError]:
    """`max` must not be below `min`."""
    least, most = node.data.get("min"), node.data.get("max")
    if is_number(least) and is_number(most) and most < least:
        yield node.error(("max",), f"at least {least}, the min beside it", shown(most))


def one_tolerance(node: Node) -> Iterator[RecipeError]:
    """`within` has either `percent` or `by`."""
    for within in node.children("within"):
        ways = within.data.keys() & {"percent", "by"}
        if not ways and within.data.keys() <= {"of"}:
            yield within.error((), "'percent' or 'by' in within", f"only {listed(within.data) or 'an empty mapping'}")
        elif len(ways) > 1:
            yield within.error(("by", KEY), "either 'percent' or 'by' in within", "both")


def valid_pattern(node: Node) -> Iterator[RecipeError]:
    """`matches` has to be a regular expression."""
    pattern = text(node.data.get("matches"))
    if "${" in pattern or "{{" in pattern:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield node.error(("matches",), "a regular expression", f"{quoted(pattern)} ({error})")


def no_pattern_for_quantile(condition: Node) -> Iterator[RecipeError]:
    """A quantile is a number, so it matches no regular expression."""
    if "quantile" in condition.data and "matches" in condition.data:
        yield condition.error(("matches", KEY), "no 'matches' beside quantile, which is a number", "both")


def unique_criterion_names(step: Node) -> Iterator[RecipeError]:
    """Two criteria of a step must not have one name: their measurements could not be told apart."""
    for success in step.children("success"):
        values = list(success.children("values"))
        names = [((*node.path[len(success.path) :], "name"), node.name) for node in values if node.name]
        yield from duplicates(success, "values", names)


BOUNDS: tuple[Callable[[Node], Iterator[RecipeError]], ...] = (min_not_above_max, one_tolerance, valid_pattern)
RULES = (with_criterion, value_in_braces, consistent_warnings, no_pattern_for_quantile)
