# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a run: the recipe's steps as a graph, cut into stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rack_recipes.recipe.recipe_model import Hook, Recipe, Step
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The user's options for a plan.

    `only` names the steps to run; what they need runs, too. `skip` names steps to leave out; what needs them is
    blocked. `stepwise` gives each step a stage of its own. `parallel` lets all steps run at the same time as far as the
    edges allow. `seed` shuffles steps that do not wait for each other, in the same way for the same number.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    stepwise: bool = False
    parallel: bool = False
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that a host runs without waiting for another one, in their order.

    `why` is the reason for the cut before it. `become` is the user that all of its steps run as, empty for the one who
    logs in. `delegate_to` is the host that runs them on behalf of their own one, as the recipe has it. `locks` are
    those that all of its steps take and hosts share. `kind` is "ansible" where its only step is a module of Ansible's.
    `always` marks a stage that closes the run. `wide` marks one that looks at other hosts: it starts when all of them
    have ended the stages before it.
    """

    number: int
    scope: str
    why: str
    steps: tuple[Step, ...]
    become: str = ""
    delegate_to: str = ""
    locks: tuple[str, ...] = ()
    kind: Literal["", "ansible"] = ""
    always: bool = False
    wide: bool = False

    @property
    def is_grouped(self) -> bool:
        """Whether a delegate runs it for all of its hosts at once, instead of an Ansible task for each host.

        Ansible's modules, and stages that hold locks which hosts share or that close the run, have a task each.
        """
        return bool(self.delegate_to and self.scope == "host" and not (self.locks or self.kind or self.always))


@dataclass(frozen=True, slots=True)
class PlannedHook:
    """A hook with its scriptlet; `when` is "pre_step" or "post_step"."""

    when: str
    hook: Hook
    entry: ScriptletEntry


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe, ready to be compiled or shown."""

    recipe: Recipe
    stages: tuple[Stage, ...]
    hooks: tuple[PlannedHook, ...] = ()
    options: PlanOptions = PlanOptions()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order in which they run."""
        return tuple(step for stage in self.stages for step in stage.steps)
