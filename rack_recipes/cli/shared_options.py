# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several commands have in common, and ages, sizes and numbers as values of options."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import LEVELS
from rack_recipes.cli.argument_parser import OptionalNumber

if TYPE_CHECKING:
    from rack_recipes.plan.plan_model import PlanOptions
AGE = re.compile(r"(\d{1,9})\s*([smhdw])")
SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DECIMAL = {f"{letter}B": 1000**power for power, letter in enumerate(("", "K", "M", "G", "T"))}
BINARY = {f"{letter}iB": 1024**power for power, letter in enumerate(("K", "M", "G", "T"), 1)}
UNITS = {unit.lower(): factor for unit, factor in {"": 1, **DECIMAL, **BINARY}.items()}
LONGEST = timedelta(days=36525)


def parse_age(text: str) -> timedelta:
    """The time span of a text such as 90d, 12h or 4w. Raises ArgumentTypeError."""
    found = AGE.fullmatch(text.strip())
    span = timedelta(seconds=int(found[1]) * SECONDS[found[2]]) if found else None
    if span is None or span > LONGEST:
        raise argparse.ArgumentTypeError(f"expected an age of at most 100 years such as 90d, 12h or 4w, got {text!r}")
    return span


def parse_size(text: str) -> int:
    """The number of bytes of a text such as 10GiB, 500MB or 4096. Raises ArgumentTypeError."""
    found = SIZE.fullmatch(text.strip())
    if not found or found[2].lower() not in UNITS:
        raise argparse.ArgumentTypeError(f"expected a size such as 10GiB, 500MB or 4096, got {text!r}")
    return int(float(found[1]) * UNITS[found[2].lower()])


def parse_count(text: str) -> int:
    """The whole number of a text, 0 or more. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)


def parse_number(text: str) -> int:
    """The whole number of a text, 1 or more. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def size_text(amount: int) -> str:
    """A number of bytes as a short text, such as `1.5 GiB`."""
    for unit, factor in reversed(BINARY.items()):
        if abs(amount) >= factor:
            return f"{amount / factor:.1f} {unit}"
    return f"{amount} B"


Container = argparse.ArgumentParser | argparse._ArgumentGroup
ANY_SEED = -1
LARGEST_SEED = 2**32


def add_examples(command: argparse.ArgumentParser, *lines: str) -> None:
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
