# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a recipe to its plan: find the scriptlets, draw the edges, order, cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.arguments import problems_of_names
from ansible_collections.rack.recipes.plugins.module_utils.executor.references import keys_in
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.discover import find
from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.model import Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import (
    CatalogError,
    Place,
    RecipeError,
    RecipeErrors,
    nearest,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.graph import Data, edges, order
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import Plan, PlannedStep
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.stages import cut_into_stages
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Recipe, Step


def make_plan(recipe: Recipe, folders: Sequence[Path]) -> Plan:
    """The plan of `recipe`, with drop-ins from `folders`. Raises RecipeErrors; runs nothing."""
    errors: list[RecipeError] = []
    entries = {step.name: _entry(step, folders, errors) for step in recipe.steps}
    for step in recipe.steps:
        errors += _argument_errors(recipe, step, entries[step.name]) + _file_errors(recipe, step)
    if errors:
        raise RecipeErrors(errors)
    found = {step.name: _known(entries[step.name]) for step in recipe.steps}
    data = {step.name: _data(step, found[step.name]) for step in recipe.steps}
    before = edges(recipe.steps, data)
    planned = (
        PlannedStep(
            step,
            found[step.name],
            tuple(sorted(data[step.name].reads)),
            tuple(sorted(data[step.name].writes)),
            before[step.name].needs,
            before[step.name].after,
        )
        for step in order(recipe.steps, before)
    )
    return Plan(recipe, cut_into_stages(planned))


def _known(entry: Entry | None) -> Entry:
    assert entry is not None  # an unknown scriptlet is among the errors
    return entry


def _entry(step: Step, folders: Sequence[Path], errors: list[RecipeError]) -> Entry | None:
    try:
        return find(step.module, step.function, step.type, folders)
    except CatalogError as error:
        errors.append(RecipeError(step.place, f"a scriptlet for step {step.name!r}", str(error)))
        return None


def _data(step: Step, entry: Entry) -> Data:
    reads = {*step.reads, *(entry.reads or ()), *keys_in(dict(step.args))}
    return Data(frozenset(reads), frozenset({*step.writes, *entry.writes}))


def _argument_errors(recipe: Recipe, step: Step, entry: Entry | None) -> list[RecipeError]:
    """Arguments that the scriptlet does not take, and those that it requires and did not get."""
    if entry is None or entry.options is None:
        return []
    options = dict(entry.options)
    return [
        RecipeError(_place(recipe, step, name), f"an argument of {entry.name}", repr(name), nearest(name, [*options]))
        if name in step.args
        else RecipeError(_place(recipe, step), f"the argument {name!r}, which {entry.name} requires", "none")
        for name, _problem in problems_of_names(options, step.args)
    ]


def _file_errors(recipe: Recipe, step: Step) -> list[RecipeError]:
    """A relative `src` is a file of the project, as in Ansible's copy: it has to be there."""
    src = step.args.get("src")
    if not isinstance(src, str) or not src or src.startswith("/") or "{{" in src or "${" in src:
        return []
    if ".." in Path(src).parts:
        return [RecipeError(_place(recipe, step, "src"), "a path inside the project", repr(src))]
    if not Path(src).is_file():
        expected = "a file of the project (an absolute path names a file of the host)"
        return [RecipeError(_place(recipe, step, "src"), expected, repr(src))]
    return []


def _place(recipe: Recipe, step: Step, argument: str = "") -> Place:
    """Where an argument of a step stands, or its list of arguments, or the step."""
    numbers = range(len(recipe.steps))
    path = next((("steps", number) for number in numbers if recipe.places.get(("steps", number)) == step.place), ())
    wanted = ((*path, "args", argument), (*path, "args"), path)
    return next((recipe.places[where] for where in wanted if where in recipe.places), step.place)
