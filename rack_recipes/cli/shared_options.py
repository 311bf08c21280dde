# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several commands have in common."""

from __future__ import annotations

import argparse
import secrets
import sys
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import LEVELS
from rack_recipes.cli.argument_parser import OptionalNumber

if TYPE_CHECKING:
    from rack_recipes.plan.plan_model import PlanOptions

Container = argparse.ArgumentParser | argparse._ArgumentGroup
ANY_SEED = -1
LARGEST_SEED = 2**32


def examples(command: argparse.ArgumentParser, *lines: str) -> None:
    """Show these command lines as examples below the options."""
    command.epilog = "\n".join(["examples:", *(f"  {line}" for line in lines)])


def add_log_level(group: argparse._ActionsContainer, default: str = "") -> None:
    """Add the option that says how much of what steps do is shown."""
    group.add_argument(
        "--log-level",
        choices=tuple(LEVELS),
        default=default,
        help="show less of it: error has attempts that ended in failed or error; warning also what steps write to "
        "stderr; info also their arguments, processes and changes of the context; debug is everything"
        + (f" (default: {default})" if default else ", as --debug"),
    )


def step_names(text: str) -> list[str]:
    """Split a list with commas.

    An empty list raises ArgumentTypeError: `--only "$STEPS"` with an empty variable must not select all steps.
    """
    found = [name for part in text.split(",") if (name := part.strip())]
    if not found:
        raise argparse.ArgumentTypeError(f"expected the name of a step, got {text!r}")
    return found


def add_recipe(command: Container, about: str = "path of the recipe, such as recipes/numbers.yml") -> None:
    """Add the argument RECIPE."""
    command.add_argument("recipe", metavar="RECIPE", help=about)


def add_db(command: Container) -> None:
    """Add the option --db."""
    command.add_argument(
        "--db", metavar="URL", help="URL of the store, such as sqlite:///PATH (default: the setting rack_recipes_db)"
    )


def add_run(command: Container, about: str = "id of the run, or its beginning (default: the newest)") -> None:
    """Add the argument RUN, which may be left out."""
    command.add_argument("run", nargs="?", default="", metavar="RUN", help=about)


def add_selection(command: Container) -> None:
    """Add the options that select and order steps; `plan_options` reads them."""
    command.add_argument(
        "--only",
        metavar="STEP",
        type=step_names,
        action="extend",
        default=[],
        help="only this step and what it depends on; repeat it, or give a list with commas",
    )
    command.add_argument(
        "--skip",
        metavar="STEP",
        type=step_names,
        action="extend",
        default=[],
        help="skip this step; a step that depends on it is blocked; repeat it, or give a list with commas",
    )
    command.add_argument(
        "--stepwise", action="store_true", help="run each step in a stage of its own: slower, with the same results"
    )
    command.add_argument(
        "--parallel",
        metavar="N",
        action=OptionalNumber,
        least=1,
        const=0,
        help="run steps that do not depend on each other at the same time, at most N on a host "
        "(without N: the setting rack_recipes_slots)",
    )
    command.add_argument(
        "--seed",
        metavar="N",
        action=OptionalNumber,
        const=ANY_SEED,
        help="shuffle independent steps, to find hidden dependencies; without N a random number is chosen and printed",
    )


def plan_options(options: argparse.Namespace) -> PlanOptions:
    """Return the options that `add_selection` added. For --seed without a number it chooses one and prints it."""
    from rack_recipes.plan.plan_model import PlanOptions

    if options.seed == ANY_SEED:
        options.seed = secrets.randbelow(LARGEST_SEED)
        sys.stderr.write(f"seed {options.seed}: --seed {options.seed} gives the same order again\n")
    return PlanOptions(
        only=tuple(options.only),
        skip=tuple(options.skip),
        stepwise=options.stepwise,
        parallel=options.parallel is not None,
        seed=options.seed,
    )
