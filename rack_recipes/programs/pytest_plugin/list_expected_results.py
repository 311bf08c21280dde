# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which results a recipe will have, as far as that is known before it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.language.loops import instances
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope
from rack_recipes.cli.running.preview.inventory_hosts import InventoryHosts, inventory_hosts
from rack_recipes.errors import Place, UsageError
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.recipe.param_values import values
from rack_recipes.recipe.recipe_model import Step

NOBODY = "?"  # stands for the host of a step whose pattern matches no host


@dataclass(frozen=True, slots=True)
class Expected:
    """One result: an instance of a step on a host; the host of the run is "".

    Where the instances of a loop are not known before the run, the looped step is one result.
    """

    step: str
    instance: str
    host: str
    place: Place

    @property
    def name(self) -> str:
        """The name of the test, for example `measure[eth0][leaf1]`."""
        return f"{self.instance}[{self.host}]" if self.host else self.instance


@dataclass(frozen=True, slots=True)
class Expectation:
    """The results of a recipe, in the order of its steps, and the parameters that it takes."""

    results: tuple[Expected, ...]
    params: tuple[str, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of its steps."""
        return tuple(dict.fromkeys(result.step for result in self.results))


def expect(recipe: Path, project: Path, inventories: tuple[str, ...], params: Mapping[str, str]) -> Expectation:
    """The results that the recipe should have if it is run in the folder `project`. Raises RackError."""
    with chdir(project):
        plan = plan_of(str(recipe))
    steps = [planned.step for planned in plan.steps]
    declared = plan.recipe.params
    given = {name: text for name, text in params.items() if name in declared}
    valued = {name: param for name, param in declared.items() if name in given or not param.required}
    known = values(valued, given, texts=True)  # the run itself reports a parameter without a value
    patterns = [step.hosts or plan.recipe.hosts for step in steps]
    hosts = _hosts(tuple(sorted({*patterns})), inventories, project)
    expected = (_results(step, hosts.of(pattern), known) for step, pattern in zip(steps, patterns, strict=True))
    return Expectation(tuple(chain.from_iterable(expected)), tuple(declared))


@cache
def _hosts(patterns: tuple[str, ...], inventories: tuple[str, ...], project: Path) -> InventoryHosts:
    """The hosts that match the patterns. Raises UsageError for an inventory that cannot be read."""
    with chdir(project):
        found = inventory_hosts(inventories, None, patterns)
    if problem := found.problem or found.refusal:
        raise UsageError(problem)
    return found


def _results(step: Step, hosts: Sequence[str], params: Mapping[str, Any]) -> Iterator[Expected]:
    for instance in _instances(step, params):
        for host in [""] if step.scope == "run" else hosts or [NOBODY]:
            yield Expected(step.name, instance, host, step.place)


def _instances(step: Step, params: Mapping[str, Any]) -> list[str]:
    """The names of a step's instances; the step's own name if it has none or they are not known yet."""
    if step.loop is None and not step.matrix:
        return [step.name]
    empty = ContextView(step.name, "", step.scope, {}, {}, {}, lambda _event: None)
    loop = list(step.loop) if isinstance(step.loop, tuple) else step.loop
    matrix = {name: list(given) if isinstance(given, tuple) else given for name, given in step.matrix.items()}
    try:
        found = instances(step.name, loop, matrix, Scope(empty, dict(params), {}))
    except ValueError:
        return [step.name]
    return [name for name, _words in found] or [step.name]
