# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the plain data of a recipe by the JSON Schema and by rules, and builds the parts of a Recipe from it.

A rule gets the data as it is in the file, even where other parts of it are wrong. It looks only at what it understands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import HOST
from rack_recipes.errors import Place, RecipeError, RecipeErrors, nearest
from rack_recipes.recipe.param_values import is_open, typed
from rack_recipes.recipe.recipe_model import Condition, Hook, Lock, Param, Path, Step
from rack_recipes.recipe.recipe_node import CONDITION_FIELDS, Node, text
from rack_recipes.recipe.rules.params import known_before_the_run, param_errors
from rack_recipes.recipe.rules.references import (
    STEP_WORDS,
    KnownNames,
    no_references_elsewhere,
    reference_errors,
    reference_texts,
    step_references,
    types_of,
)
from rack_recipes.recipe.rules.steps import (
    RULES_BY_FIELD,
    STEP_LIST_RULES,
    condition_errors,
    function_only_for_python,
    no_references_in_hosts,
)
from rack_recipes.recipe.schema.json_schema import validator
from rack_recipes.recipe.steps_to_and_from_data import from_data, param_from_data
from rack_recipes.recipe.values_in_messages import listed, shown
from rack_recipes.recipe.yaml.reader import MAX_ERRORS, Document
from rack_recipes.recipe.yaml.values_and_positions import KEY

TOP_LEVEL_ONLY = ("hooks", "canary", "serial", "time_box", "fail_fast", "context", "derived", "limits")
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
    for moment, words in HOOK_WORDS.items():
        scope = KnownNames({HOST, "params", "step"}, {"step": words, "params": tuple(types)}, types)
        for hook in top.children("hooks", moment):
            yield from function_only_for_python(hook)
            for path, found in reference_texts(hook.data.get("args"), ("args",)):
                yield from reference_errors(hook, path, found, scope)


def derived_errors(top: Node) -> Iterator[RecipeError]:
    """What is wrong with a derived number: it is of two numbers or of a list, and of steps of this file.

    Steps of included recipes are not known here.
    """
    names = [step.name for step in top.children("steps")]
    has_all = not any(step.is_include for step in top.children("steps"))
    for derived in top.children("derived"):
        for name in derived.data:
            for node in derived.children(str(name)):
                yield from _one_number_or_two(node)
                yield from _unknown_steps(node, names) if has_all else ()


def _one_number_or_two(node: Node) -> Iterator[RecipeError]:
    kind = node.data.get("kind")
    if kind in OF_TWO and "to" not in node.data:
        yield node.error(("kind", KEY), f"'to' beside it, the second number of a {kind}", "no 'to'")
    if kind in OF_LIST and "to" in node.data:
        yield node.error(("to", KEY), f"no 'to' with {kind}, which is that of one list", shown(node.data["to"]))


OF_TWO = ("ratio", "rate", "difference")
OF_LIST = ("skewness", "p5", "p25", "p50", "p75", "p95", "p99")


def _unknown_steps(node: Node, names: list[str]) -> Iterator[RecipeError]:
    for word in ("of", "to"):
        step, colon, _name = text(node.data.get(word)).partition(":")
        if colon and step not in names:
            yield node.error((word,), "the name of a step before the colon", shown(step), nearest(step, names))


def top_level_only(document: Document) -> Iterator[RecipeError]:
    """Fields that an included recipe must not have, since only the recipe that is run decides them."""
    top = Node(document, (), document.data)
    for key in TOP_LEVEL_ONLY:
        if key in document.data:
            expected = f"no '{key}' in a recipe that another one includes, which decides it"
            yield top.error((key, KEY), expected, shown(document.data[key]))


def check_top(document: Document) -> None:
    """Check a recipe that is run itself. Raises RecipeErrors with the first hundred problems."""
    raise_first(chain(problems(document), known_before_the_run(document)))


def check_included(document: Document) -> None:
    """Check a recipe that another one includes. Raises RecipeErrors with the first hundred problems."""
    raise_first(chain(problems(document), top_level_only(document)))


def raise_first(errors: Iterable[RecipeError]) -> None:
    """Raise RecipeErrors with the first hundred errors, if there are any. Each place and expectation is named once."""
    found = {(error.place, error.expected): error for error in islice(errors, MAX_ERRORS)}
    if found:
        raise RecipeErrors(list(found.values()))


def problems(document: Document) -> Iterator[RecipeError]:
    """Everything that is wrong with a recipe, whether it is run or included."""
    places = set()
    for error in chain(_schema_errors(document), rule_errors(document)):
        places.add(error.place)
        yield error
    yield from (error for error in no_references_elsewhere(document) if error.place not in places)


def _schema_errors(document: Document) -> Iterator[RecipeError]:
    for error in validator().iter_errors(document.data):
        # imported here, since a good recipe does not need it
        from rack_recipes.recipe.schema.schema_errors import recipe_errors

        yield from recipe_errors(error, document, validator())


def rule_errors(document: Document) -> Iterator[RecipeError]:
    """What breaks a rule."""
    top = Node(document, (), document.data)
    steps = list(top.children("steps")) if isinstance(document.data.get("steps"), list) else []
    for rule in (*STEP_LIST_RULES, step_references):
        yield from rule(steps)
    for step in steps:
        yield from field_errors(step)
    yield from param_errors(document)
    yield from top_errors(top)


def field_errors(step: Node) -> Iterator[RecipeError]:
    """What is wrong with the fields of one step. Only rules for fields that the step has are called."""
    for key in step.data.keys() & RULES_BY_FIELD.keys():
        for rule in RULES_BY_FIELD[key]:
            yield from rule(step)
    if not step.data.keys().isdisjoint(CONDITION_FIELDS):
        yield from condition_errors(step)


type Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """What a file and the files that it includes hold together.

    `steps` are in order. `contents` has the bytes of the included files. `also` has the limits that these set for the
    file's parameters.
    """

    steps: tuple[Step, ...]
    locks: Mapping[str, Lock]
    places: Mapping[Path, Place]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)


def numbered(document: Document) -> Iterator[tuple[int, int, Data]]:
    """Each step of the file with its index there and its `idx`. Without an `idx` it follows the step above it."""
    idx = 0
    for index, step in enumerate(document.data["steps"]):
        idx = int(step.get("idx", idx + 1))
        yield index, idx, step


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps ordered by their `idx`; those with the same `idx` stay in the order of the file."""
    return tuple(sorted(steps, key=lambda step: step.idx))


def build_steps(document: Document) -> tuple[Step, ...]:
    """The steps of a file without includes."""
    places = document.places
    return in_order(build_step(step, idx, places["steps", index]) for index, idx, step in numbered(document))


def build_step(data: Data, idx: int, place: Place) -> Step:
    """One checked step; what it does not say is the model's default."""
    return from_data(Step, {**data, "idx": idx}, place=place)


def build_params(document: Document) -> dict[str, Param]:
    """The declared parameters by name."""
    return {name: build_param(name, data) for name, data in document.data.get("params", {}).items()}


def build_param(name: str, data: Data) -> Param:
    """One parameter, with its default converted to its type."""
    found = param_from_data(name, data)
    if found.default is None or is_open(found.default):
        return found
    return replace(found, default=typed(found.type, found.default))


def build_hooks(document: Document, when: str) -> tuple[Hook, ...]:
    """The hooks before each try (`pre_step`), or those after it (`post_step`)."""
    listed = document.data.get("hooks", {}).get(when, ())
    return tuple(from_data(Hook, data, place=document.places["hooks", when, n]) for n, data in enumerate(listed))


def build_locks(data: Data) -> dict[str, Lock]:
    """The locks by name."""
    return {name: from_data(Lock, lock, name=name) for name, lock in data.get("locks", {}).items()}


def batch_sizes(data: Data) -> tuple[int | str, ...]:
    """The sizes of the batches."""
    sizes = data.get("serial", [])
    listed = sizes if isinstance(sizes, list) else [sizes]
    return tuple(size if isinstance(size, str) else int(size) for size in listed)
