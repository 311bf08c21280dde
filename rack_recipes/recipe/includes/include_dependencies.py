# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dependencies on includes: what is wrong with them, and the steps that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rack_recipes.errors import RecipeError
from rack_recipes.recipe.recipe_model import Dependency, Step
from rack_recipes.recipe.rules.step_names import MAX_COMPARED, hosts_of_dependency, not_on_closing_step, unknown_step
from rack_recipes.recipe.rules.unchecked_mapping import Node
from rack_recipes.recipe.yaml.values_in_messages import quoted

type Steps = tuple[Step, ...]
type Entries = list[tuple[Node, Steps]]  # the steps and includes of a file, each with the steps that it makes
type Includes = Mapping[str, Steps]  # the steps of each include by its name
type Resolved = dict[tuple[Dependency, bool], tuple[Dependency, ...]]


def duplicate_names(entries: Entries, prefix: str) -> Iterator[RecipeError]:
    """Steps of includes with the name of another step or of an include."""
    first: dict[str, Node] = {}
    for entry, steps in entries:
        names = {*((prefix + entry.name,) if entry.name else ()), *(step.name for step in steps)}
        for name in sorted(names & first.keys()):
            got = f"{quoted(name)} again (first by line {first[name].place(*place_of_name(first[name])).line})"
            yield entry.error(place_of_name(entry), "each step name once", got)
        first |= dict.fromkeys(names - first.keys(), entry)


def place_of_name(entry: Node) -> tuple[str]:
    """Where in an entry of `steps` its name stands; of an include without one, its file."""
    return ("name",) if entry.name else ("include",)


def dependency_errors(entries: Entries, prefix: str) -> Iterator[RecipeError]:
    """What is wrong with dependencies on steps of includes."""
    known: dict[str, Node] = {}
    for entry, steps in entries:
        if entry.is_include:
            ends = bool(steps) and all(step.always for step in steps)
            if entry.name:
                known[entry.name] = Node(entry.document, entry.path, {"always": ends})
            known |= {step.name.removeprefix(prefix): as_node(step, entry) for step in steps}
    own = {entry.name for entry, _steps in entries if not entry.is_include}
    needs = [
        (entry, path, name) for entry, _steps in entries for path, name in entry.dependency_names() if name not in own
    ]
    for entry, path, name in needs:
        if name in known:
            yield from not_on_closing_step(entry, path, name, known)
            yield from hosts_of_dependency(entry, path, name, known)
    unknown = [need for need in needs if need[2] not in known]
    for number, (entry, path, name) in enumerate(unknown):
        yield unknown_step(entry, path, name, (*own, *known), compared=number < MAX_COMPARED)


def as_node(step: Step, include: Node) -> Node:
    """A step of an include as the rules see one, at the place of its include."""
    return Node(include.document, include.path, {"always": step.always, "scope": step.scope})


def resolve_dependencies(steps: Steps, includes: Includes) -> Steps:
    """The steps with dependencies on the steps of includes in place of those on includes."""
    known: Resolved = {}
    return tuple(
        replace(step, depends_on=resolved_dependencies(step, includes, known))
        if any(need.step in includes for need in step.depends_on)
        else step
        for step in steps
    )


def resolved_dependencies(step: Step, includes: Includes, known: Resolved) -> tuple[Dependency, ...]:
    """The dependencies of one step. `known` has those that steps with the same dependency share."""
    parts = []
    for need in step.depends_on:
        if need.step in includes and (need, step.always) not in known:
            known[need, step.always] = tuple(on_each_step(need, includes[need.step], step.always))
        parts.append(known[need, step.always] if need.step in includes else (need,))
    return parts[0] if len(parts) == 1 else tuple(dict.fromkeys(need for part in parts for need in part))


def on_each_step(need: Dependency, steps: Steps, always: bool) -> Iterator[Dependency]:
    """A dependency on each step of an include. Only closing steps can depend on closing ones."""
    for step in steps:
        if always or not step.always:
            yield Dependency(step.name) if step.scope == "run" else replace(need, step=step.name)
