# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a recipe to its plan: find the scriptlets, check what each is given, draw the edges, order, cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.arguments import problems_of_names
from ansible_collections.rack.recipes.plugins.module_utils.executor.references import keys_in
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.discover import find
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.model import Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import (
    CatalogError,
    RecipeError,
    RecipeErrors,
    nearest,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.graph import Data, arrange
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import Plan, PlannedStep
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.stages import cut_into_stages
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Path as ValuePath
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Recipe, Step
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.places import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.reader import MOST

Named = tuple[str, str, str]  # a step's module, function and type


class Problem(NamedTuple):
    """What is wrong with a step, and at which of its values; where that is not there, at what holds it."""

    step: Step
    path: tuple[str, ...]
    expected: str
    got: str = ""
    near: str = ""


def make_plan(recipe: Recipe, folders: Sequence[Path]) -> Plan:
    """The plan of `recipe`, with drop-ins from `folders`. Raises RecipeErrors; runs nothing."""
    entries: dict[str, Entry] = {}
    first = list(islice(_all_problems(recipe.steps, folders, entries), MOST))
    if first:
        raise RecipeErrors(_located(recipe, first))
    return _planned(recipe, entries)


def _all_problems(steps: Iterable[Step], folders: Sequence[Path], entries: dict[str, Entry]) -> Iterator[Problem]:
    """What is wrong with each step, one by one; `entries` takes in the scriptlets of those that have one."""
    found: dict[Named, Entry | CatalogError] = {}
    for step in steps:
        named = (step.module, step.function, step.type)
        entry = found[named] = found.get(named) or _find(named, folders)
        if isinstance(entry, CatalogError):
            yield Problem(step, ("module",), f"a scriptlet for step {step.name!r}: {entry}")
        else:
            entries[step.name] = entry
            yield from _scope_problems(step, entry)
            yield from _argument_problems(step, entry)
        yield from _file_problems(step)


def _find(named: Named, folders: Sequence[Path]) -> Entry | CatalogError:
    try:
        return find(*named, folders)
    except CatalogError as error:
        return error


def _planned(recipe: Recipe, entries: Mapping[str, Entry]) -> Plan:
    data = {step.name: _data(step, entries[step.name]) for step in recipe.steps}
    try:
        arranged = arrange(recipe.steps, data)
    except RecipeError as error:
        raise RecipeErrors([error]) from None
    steps = (
        PlannedStep(
            step,
            entries[step.name],
            tuple(sorted(data[step.name].reads)),
            tuple(sorted(data[step.name].writes)),
            edges.needs,
            edges.after,
        )
        for step, edges in arranged
    )
    return Plan(recipe, cut_into_stages(steps))


def _data(step: Step, entry: Entry) -> Data:
    reads = {*step.reads, *(entry.reads or ()), *keys_in(step.args)}
    return Data(frozenset(reads), frozenset({*step.writes, *entry.writes}))


def _scope_problems(step: Step, entry: Entry) -> Iterator[Problem]:
    if (entry.scope, step.scope) == ("run", "host"):
        yield Problem(step, ("scope",), f"scope: run, for which {entry.name} is meant", repr(step.scope))


def _argument_problems(step: Step, entry: Entry) -> Iterator[Problem]:
    """Arguments that the scriptlet does not take, and those that it requires and did not get."""
    if entry.options is None:
        return
    options = dict(entry.options)
    for name, _problem in problems_of_names(options, step.args):
        if name in step.args:
            near = nearest(name, [*options])
            known = "" if near else f" ({', '.join(options) or 'it takes none'})"
            yield Problem(step, ("args", name, KEY), f"an argument of {entry.name}{known}", repr(name), near)
        else:
            yield Problem(step, ("args",), f"the argument {name!r}, which {entry.name} requires")


def _file_problems(step: Step) -> Iterator[Problem]:
    """A relative `src` is a file of the project, as in Ansible's copy: it has to be there."""
    src = step.args.get("src")
    if not isinstance(src, str) or not src or src.startswith("/") or "{{" in src or "${" in src:
        return
    if ".." in Path(src).parts:
        yield Problem(step, ("args", "src"), "a path inside the project", repr(src))
    elif not _is_file(src):
        expected = "a file of the project (an absolute path names a file of the host)"
        yield Problem(step, ("args", "src"), expected, f"{src[:100]!r}{'...' if len(src) > 100 else ''}")


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def _located(recipe: Recipe, problems: Iterable[Problem]) -> list[RecipeError]:
    """The problems with their places; a recipe's places are known by the number that a step has in the file."""
    numbers = {recipe.places.get(("steps", number)): number for number in range(len(recipe.steps))}
    errors = []
    for step, path, expected, got, near in problems:
        whole: ValuePath = ("steps", numbers.get(step.place, -1), *path)
        paths = (whole[:length] for length in range(len(whole), 2, -1))
        place = next((recipe.places[part] for part in paths if part in recipe.places), step.place)
        errors.append(RecipeError(place, expected, got, near))
    return errors
