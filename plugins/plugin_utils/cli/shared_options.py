# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several commands share."""

from __future__ import annotations

import argparse
import secrets
import sys
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.argument_parser import OptionalNumber

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.plan.plan_model import PlanOptions

Container = argparse.ArgumentParser | argparse._ArgumentGroup
ANY_SEED = -1
LARGEST_SEED = 2**32


def examples(command: argparse.ArgumentParser, *lines: str) -> None:
    """Show how the command is used, below its options."""
    command.epilog = "\n".join(["examples:", *(f"  {line}" for line in lines)])


def names(text: str) -> list[str]:
    """The names in a list with commas. None at all is an error: an empty variable of a shell chooses nothing."""
    found = [name for part in text.split(",") if (name := part.strip())]
    if not found:
        raise argparse.ArgumentTypeError(f"expected the name of a step, got {text!r}")
    return found


def add_recipe(command: Container, about: str = "path of the recipe, such as recipes/numbers.yml") -> None:
    """The recipe that a command is about."""
    command.add_argument("recipe", metavar="RECIPE", help=about)


def add_db(command: Container) -> None:
    """Another store than the project's."""
    command.add_argument(
        "--db", metavar="URL", help="URL of the store, such as sqlite:///PATH (default: the setting rack_recipes_db)"
    )


def add_run(command: Container, about: str = "id of the run, or its beginning (default: the newest)") -> None:
    """A run that may be left out."""
    command.add_argument("run", nargs="?", default="", metavar="RUN", help=about)


def add_selection(command: Container) -> None:
    """What `plan_options` reads: which steps there are, and in which order."""
    command.add_argument(
        "--only",
        metavar="STEP",
        type=names,
        action="extend",
        default=[],
        help="only this step and what it depends on; repeat it, or give a list with commas",
    )
    command.add_argument(
        "--skip",
        metavar="STEP",
        type=names,
        action="extend",
        default=[],
        help="skip this step: what needs it is blocked, not passed; repeat it, or give a list with commas",
    )
    command.add_argument(
        "--stepwise", action="store_true", help="a stage of its own for each step: the same results, found one by one"
    )
    command.add_argument(
        "--parallel",
        metavar="N",
        action=OptionalNumber,
        const=0,
        help="steps that do not depend on each other run at once, N of them on a host "
        "(without N: as many as the setting rack_recipes_slots says)",
    )
    command.add_argument(
        "--seed",
        metavar="N",
        action=OptionalNumber,
        const=ANY_SEED,
        help="shuffle independent steps, to find hidden dependencies; without N by a new number, which is printed",
    )


def plan_options(options: argparse.Namespace) -> PlanOptions:
    """What `add_selection` was given; a seed that was left open is chosen here, and told."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.plan.plan_model import PlanOptions

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
