# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that wait for all steps of an include, or for one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Dependency, Step
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.node import Node
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.step_names import (
    COMPARED,
    not_always,
    unknown_step,
    where,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import quoted

type Steps = tuple[Step, ...]
type Entries = list[tuple[Node, Steps]]  # what stands in a file, and the steps that it makes
type Groups = Mapping[str, Steps]  # the steps of each include by its name
type Made = dict[tuple[Dependency, bool], tuple[Dependency, ...]]


def names_errors(entries: Entries, prefix: str) -> Iterator[RecipeError]:
    """Steps of includes that are called as another step is, or as an include."""
    first: dict[str, Node] = {}
    for entry, steps in entries:
        names = {prefix + entry.name, *(step.name for step in steps)}
        for name in sorted(names & first.keys()):
            got = f"{quoted(name)} again (first by line {first[name].place('name').line})"
            yield entry.error(("name",), "each step name once", got)
        first |= dict.fromkeys(names - first.keys(), entry)


def waits_errors(entries: Entries, prefix: str) -> Iterator[RecipeError]:
    """Dependencies on steps of includes, which only now are known."""
    known: dict[str, Node] = {}
    for entry, steps in entries:
        if entry.is_include:
            ends = bool(steps) and all(step.always for step in steps)
            known[entry.name] = Node(entry.document, entry.path, {"always": ends})
            known |= {step.name.removeprefix(prefix): described(step, entry) for step in steps}
    own = {entry.name for entry, _steps in entries if not entry.is_include}
    needs = [(entry, path, name) for entry, _steps in entries for path, name in entry.needs() if name not in own]
    for entry, path, name in needs:
        if name in known:
            yield from not_always(entry, path, name, known)
            yield from where(entry, path, name, known)
    unknown = [need for need in needs if need[2] not in known]
    for number, (entry, path, name) in enumerate(unknown):
        yield unknown_step(entry, path, name, (*own, *known), compared=number < COMPARED)


def described(step: Step, include: Node) -> Node:
    """What the rules ask of a step, at the place of its include."""
    return Node(include.document, include.path, {"always": step.always, "scope": step.scope})


def released(steps: Steps, groups: Groups) -> Steps:
    """Steps whose dependencies on includes have become dependencies on the steps of these."""
    made: Made = {}
    return tuple(
        replace(step, depends_on=resolved(step, groups, made))
        if any(need.step in groups for need in step.depends_on)
        else step
        for step in steps
    )


def resolved(step: Step, groups: Groups, made: Made) -> tuple[Dependency, ...]:
    """What a step depends on; many steps that wait for one large include share what that means."""
    parts = []
    for need in step.depends_on:
        if need.step in groups and (need, step.always) not in made:
            made[need, step.always] = tuple(of_group(need, groups[need.step], step.always))
        parts.append(made[need, step.always] if need.step in groups else (need,))
    return parts[0] if len(parts) == 1 else tuple(dict.fromkeys(need for part in parts for need in part))


def of_group(need: Dependency, steps: Steps, always: bool) -> Iterator[Dependency]:
    """A dependency on each step of an include; closing ones are there for closing steps only."""
    for step in steps:
        if always or not step.always:
            yield Dependency(step.name) if step.scope == "run" else replace(need, step=step.name)
