# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for the fields at the top of a recipe, except its steps and parameters."""

from __future__ import annotations

from collections.abc import Iterator

from rack_recipes.errors import RecipeError, nearest
from rack_recipes.recipe.rules.references import STEP_WORDS, KnownNames, reference_errors, reference_texts, types_of
from rack_recipes.recipe.rules.step_fields import function_only_for_python, no_references_in_hosts
from rack_recipes.recipe.rules.unchecked_mapping import Node, text
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.recipe.yaml.values_in_messages import listed, shown

TOP_LEVEL_ONLY = ("hooks", "canary", "serial", "time_box", "fail_fast", "context", "derived")
HOOK_WORDS = {"pre_step": STEP_WORDS, "post_step": (*STEP_WORDS, "verdict")}


def top_errors(top: Node) -> Iterator[RecipeError]:
    """What is wrong with these fields."""
    yield from no_references_in_hosts(top)
    yield from canary_errors(top)
    yield from hook_errors(top)
    yield from derived_errors(top)


def canary_errors(top: Node) -> Iterator[RecipeError]:
    """A canary has either a number of hosts or a pattern."""
    for canary in top.children("canary"):
        yield from no_references_in_hosts(canary)
        ways = canary.data.keys() & {"count", "hosts"}
        if not canary.data:
            yield canary.error((), "'count' or 'hosts' in canary", "an empty mapping")
        elif len(ways) > 1:
            yield canary.error(("hosts", KEY), "either 'count' or 'hosts' in canary", listed(canary.data))


def hook_errors(top: Node) -> Iterator[RecipeError]:
    """What is wrong with hooks. Their references may name the step that they run for."""
    types = types_of(top.document)
    for field, words in HOOK_WORDS.items():
        scope = KnownNames({"params", "step"}, {"step": words, "params": tuple(types)}, types)
        for hook in top.children("hooks", field):
            yield from function_only_for_python(hook)
            for path, found in reference_texts(hook.data.get("args"), ("args",)):
                yield from reference_errors(hook, path, found, scope)


def derived_errors(top: Node) -> Iterator[RecipeError]:
    """A derived number of a measurement names a step of this file; steps of included recipes are not known here."""
    names = [step.name for step in top.children("steps")]
    if any(step.is_include for step in top.children("steps")):
        return
    for derived in top.children("derived"):
        for name in derived.data:
            for node in derived.children(str(name)):
                yield from _unknown_steps(node, names)


def _unknown_steps(node: Node, names: list[str]) -> Iterator[RecipeError]:
    for field in ("of", "to"):
        step, colon, _name = text(node.data.get(field)).partition(":")
        if colon and step not in names:
            yield node.error((field,), "the name of a step before the colon", shown(step), nearest(step, names))


def top_level_only(document: Document) -> Iterator[RecipeError]:
    """Fields that an included recipe must not have, since only the recipe that is run decides them."""
    top = Node(document, (), document.data)
    for key in TOP_LEVEL_ONLY:
        if key in document.data:
            expected = f"no '{key}' in a recipe that another one includes, which decides it"
            yield top.error((key, KEY), expected, shown(document.data[key]))
