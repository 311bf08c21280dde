# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for what stands at the top of a recipe, beside its steps and parameters."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.node import Node
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.references import (
    WORDS_OF_STEP,
    KnownNames,
    errors_in,
    texts,
    types_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.step_fields import (
    function_of_python,
    plain_hosts,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import listed, shown
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import Document

OF_TOP = ("hooks", "canary", "serial", "time_box", "fail_fast", "context")
OF_HOOKS = {"pre_step": WORDS_OF_STEP, "post_step": (*WORDS_OF_STEP, "verdict")}


def top_errors(top: Node) -> Iterator[RecipeError]:
    """What is wrong with a recipe beside its steps and its parameters."""
    yield from plain_hosts(top)
    yield from canary_errors(top)
    yield from hook_errors(top)


def canary_errors(top: Node) -> Iterator[RecipeError]:
    """The hosts that go first are counted, or they are named."""
    for canary in top.parts("canary"):
        yield from plain_hosts(canary)
        ways = canary.data.keys() & {"count", "hosts"}
        if not canary.data:
            yield canary.error((), "'count' or 'hosts' in canary", "an empty mapping")
        elif len(ways) > 1:
            yield canary.error(("hosts", KEY), "either 'count' or 'hosts' in canary", listed(canary.data))


def hook_errors(top: Node) -> Iterator[RecipeError]:
    """Hooks know of the step that they run for."""
    types = types_of(top.document)
    for home, words in OF_HOOKS.items():
        scope = KnownNames({"params", "step"}, {"step": words, "params": tuple(types)}, types)
        for hook in top.parts("hooks", home):
            yield from function_of_python(hook)
            for path, found in texts(hook.data.get("args"), ("args",)):
                yield from errors_in(hook, path, found, scope)


def left_to_top(document: Document) -> Iterator[RecipeError]:
    """What only the recipe decides that is run: an included one does not."""
    top = Node(document, (), document.data)
    for key in OF_TOP:
        if key in document.data:
            expected = f"no '{key}' in a recipe that another one includes, which decides it"
            yield top.error((key, KEY), expected, shown(document.data[key]))
