# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `compile`."""

from __future__ import annotations

import argparse

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_recipe, add_selection, examples, plan_options


def add_compile(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_recipe(command)
    add_selection(command)
    examples(
        command,
        "rack-recipes compile recipes/numbers.yml > numbers.playbook.yml",
        "ansible-playbook -i inventory.yml numbers.playbook.yml",
    )


def compile(options: argparse.Namespace) -> Answer:  # noqa: A001 - commands are functions of their names
    """Print the playbook of a recipe.

    Ansible runs it as it stands, so it can be read, committed and given to AWX. The same recipe gives the same text.
    """
    from rack_recipes.plan.compile.playbook_file import playbook_of

    text = playbook_of(options.recipe, options=plan_options(options))
    return ({"status": "ok", "playbook": text} if options.json else text), 0
