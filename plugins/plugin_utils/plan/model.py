# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What will happen: the recipe's steps as a graph, cut into stages."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.plugin_utils.catalog.model import Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Recipe, Step


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its scriptlet and its place in the graph.

    `depends_on` names the steps whose failure blocks this one (as written, and those that write what it reads);
    `after` those that only have to end before it.
    """

    step: Step
    entry: Entry
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    depends_on: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The steps that a host runs without waiting for another one, in their order; `why` says why it starts here."""

    number: int
    scope: str
    why: str
    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe, ready to be compiled or shown."""

    recipe: Recipe
    stages: tuple[Stage, ...]

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """All steps, in the order in which they run."""
        return tuple(step for stage in self.stages for step in stage.steps)
