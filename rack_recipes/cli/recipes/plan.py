# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `plan`."""

from __future__ import annotations

import argparse
import json

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_recipe, add_selection, examples, plan_options
from rack_recipes.errors import UsageError


def add_plan(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_recipe(command)
    command.add_argument(
        "--format",
        choices=("tree", "json", "dot", "mermaid"),
        help="tree for people (the default), json, dot for Graphviz, mermaid for Markdown",
    )
    add_selection(command)
    examples(
        command,
        "rack-recipes plan recipes/host_health.yml",
        "rack-recipes plan recipes/host_health.yml --only clock_jitter",
        "rack-recipes plan recipes/host_health.yml --format dot | dot -Tsvg > plan.svg",
    )


def plan(options: argparse.Namespace) -> Answer:
    """Show what would run, as a tree, as data or as a graph. Nothing is run.

    It shows the stages and why each starts, the steps, their hosts, the keys that each step reads and writes, and
    which failures are waived.
    `run --dry-run` adds what an inventory and the store know: hosts, earlier results, durations.
    """
    from rack_recipes.cli.recipes.print_notices import print_notices
    from rack_recipes.cli.waivers.planned_waivers import planned_waivers, waiver_data, waiver_lines
    from rack_recipes.plan.compile.playbook_file import plan_of
    from rack_recipes import settings
    from rack_recipes.plan.output_formats import FORMATS, plan_to_data

    if options.json and options.format not in (None, "json"):
        raise UsageError(
            f"rack-recipes plan: --json and --format {options.format} ask for two answers: give one of them"
        )
    planned = plan_of(options.recipe, options=plan_options(options))
    print_notices(planned)
    waivers = planned_waivers(planned, settings.load())
    word = "json" if options.json else options.format or "tree"
    if word == "json" and waivers:
        return json.dumps({**plan_to_data(planned), **waiver_data(waivers)}, ensure_ascii=False, indent=2) + "\n", 0
    return FORMATS[word](planned) + ("".join(waiver_lines(waivers)) if word == "tree" else ""), 0
