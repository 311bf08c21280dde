# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for the names of steps, and for names in the lists of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rack_recipes.errors import RecipeError
from rack_recipes.recipe.recipe_model import Path
from rack_recipes.recipe.rules.unchecked_mapping import Node, text
from rack_recipes.recipe.schema.json_schema import list_fields
from rack_recipes.recipe.yaml.values_in_messages import closest, listed, quoted, shown

type Steps = list[Node]
type Known = Mapping[str, Node]

MAX_COMPARED = 20  # unknown names that get a suggestion: among a thousand steps one takes long
OTHER = "the name of another step"


def unique_step_names(steps: Steps) -> Iterator[RecipeError]:
    """Two steps must not have one name."""
    first: dict[str, Node] = {}
    for step in steps:
        if step.name and first.setdefault(step.name, step) is not step:
            got = f"{quoted(step.name)} again (first in line {first[step.name].place('name').line})"
            yield step.error(("name",), "each step name once", got)


def known_steps(steps: Steps) -> Iterator[RecipeError]:
    """A step can only depend on a step that exists. Nothing is reported while a step has no name."""
    names = dict.fromkeys(step.name for step in steps)
    inside = tuple(f"{step.name}." for step in steps if step.is_include and step.name)
    wanted = [(step, path, name) for step in steps for path, name in step.dependency_names() if name not in names]
    unknown = [] if "" in names else [entry for entry in wanted if not entry[2].startswith(inside or "\0")]
    for number, (step, path, name) in enumerate(unknown):
        yield unknown_step(
            step, path, name, tuple(known for known in names if known != step.name), compared=number < MAX_COMPARED
        )


def unknown_step(step: Node, path: Path, name: str, others: tuple[str, ...], *, compared: bool = True) -> RecipeError:
    """The error about a name that no step has. With `compared` it names the step that was probably meant."""
    near = closest(name, others) if compared else ""
    return step.error(path, OTHER + (f" ({listed(others)})" if others and not near else ""), quoted(name), near)


def dependencies(steps: Steps) -> Iterator[RecipeError]:
    """What is wrong with dependencies on steps that exist."""
    known = {step.name: step for step in steps}
    for step in steps:
        for path, name in step.dependency_names():
            for rule in DEPENDENCY_RULES:
                yield from rule(step, path, name, known)


def not_on_itself(step: Node, path: Path, name: str, _known: Known) -> Iterator[RecipeError]:
    """A step must not depend on itself, nor an include on one of its own steps."""
    if name == step.name:
        yield step.error(path, OTHER, f"{quoted(name)}, this {'include' if step.is_include else 'step'} itself")
    elif step.is_include and step.name and name.startswith(f"{step.name}."):
        yield step.error(path, OTHER, f"{quoted(name)}, a step of this include")


def not_on_closing_step(step: Node, path: Path, name: str, known: Known) -> Iterator[RecipeError]:
    """A step must not depend on a closing step, which runs at the end, unless it is one itself."""
    other = known.get(name)
    if other and other.data.get("always") is True and not step.data.get("always"):
        yield waits_for_end(step, path, name)


def waits_for_end(step: Node, path: Path, name: str) -> RecipeError:
    """The error about a dependency on a closing step."""
    expected = "the name of a step without 'always', or 'always: true' in this one too"
    return step.error(path, expected, f"{quoted(name)}, which runs at the end")


def hosts_of_dependency(step: Node, path: Path, name: str, known: Known) -> Iterator[RecipeError]:
    """`hosts` and `quorum` need a step that runs on several hosts."""
    written = step.data["depends_on"][path[1]]
    if not isinstance(written, dict):
        return
    other, own = known.get(name), text(written.get("hosts")) in ("", "same")
    if other and other.data.get("scope") == "run" and not (own and "quorum" not in written):
        word = "quorum" if own else "hosts"
        expected = f"no '{word}' for a step of scope run, which runs once"
        yield step.error((*path[:2], word), expected, shown(written[word]))
    elif own and "quorum" in written and step.data.get("scope") != "run":
        expected = "'hosts: all' or a pattern beside quorum: on one host a step passed or it did not"
        yield step.error((*path[:2], "quorum"), expected, f"{shown(written['quorum'])} without hosts")


def unique_list_entries(steps: Steps) -> Iterator[RecipeError]:
    """A name must not be in a list twice: another one was probably meant."""
    for step in steps:
        for key in list_fields():
            if key in step.data:
                yield from duplicates(
                    step, key, step.dependency_names() if key == "depends_on" else paths_and_texts(step, key)
                )


def paths_and_texts(step: Node, key: str) -> list[tuple[Path, str]]:
    """The texts in a list of a step, each with its path."""
    return [((key, n), value) for n, value in step.texts(key)]


def duplicates(node: Node, key: str, names: list[tuple[Path, str]]) -> Iterator[RecipeError]:
    """Names that are in a list a second time."""
    if len({name for _path, name in names}) == len(names):
        return
    first: dict[str, Path] = {}
    for path, name in names:
        if first.setdefault(name, path) != path:
            got = f"{quoted(name)} again (first in line {node.place(*first[name]).line})"
            yield node.error(path, f"each name in {key} once", got)


DEPENDENCY_RULES: tuple[Callable[[Node, Path, str, Known], Iterator[RecipeError]], ...] = (
    not_on_itself,
    not_on_closing_step,
    hosts_of_dependency,
)
STEP_LIST_RULES: tuple[Callable[[Steps], Iterator[RecipeError]], ...] = (
    unique_step_names,
    known_steps,
    dependencies,
    unique_list_entries,
)
