# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `debug`."""

from __future__ import annotations

import argparse

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_examples, add_log_level


def add_debug(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("scriptlet", metavar="SCRIPTLET", help="what a recipe writes as `module`, such as link.errors")
    command.add_argument("--function", metavar="CLASS", default="", help="the class, if the file has several")
    command.add_argument(
        "--type", choices=("python", "shell", "native"), help="the type, if files of the same name have different types"
    )
    command.add_argument(
        "--args",
        metavar="JSON",
        default="{}",
        help='its arguments as one object, \'{"path": "/"}\', or @FILE with them in YAML or JSON (other users can see '
        "what is written here in the process list: put secrets into a file)",
    )
    command.add_argument(
        "--arg",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="one argument, converted to the type of its option; may be repeated, and wins over --args",
    )
    command.add_argument(
        "--context",
        metavar="FILE",
        help="the context that it finds: keys with values in YAML or JSON, or the output of `ctx show --json`",
    )
    command.add_argument(
        "--host", metavar="HOST", help="run it on this host, as a run of its own (default: in this process)"
    )
    command.add_argument(
        "-i",
        "--inventory",
        metavar="PATH",
        action="append",
        default=[],
        help="inventory with the host; may be repeated",
    )
    add_log_level(command, default="debug")
    command.add_argument(
        "--pdb",
        action="store_true",
        help="stop in Python's debugger where its `run` begins and where it raises; Python on this machine only",
    )
    add_examples(
        command,
        "rack-recipes debug disk.usage --arg path=/ --arg max_percent=90",
        'rack-recipes debug rack.recipes.numbers_stats --args \'{"src": "data/numbers.csv"}\'',
        "rack-recipes debug link.errors --host leaf1 -i inventory.yml",
        "rack-recipes debug link.errors --pdb",
    )


def debug(options: argparse.Namespace) -> Answer:
    """Run one scriptlet by itself, on this machine or on one host, and show all that it does.

    Stderr has the trace: arguments, changes of the context, subprocesses, variables, tracebacks, output, resources.
    Stdout has the envelope with the verdict, as in a run. The scriptlet's own checks are judged; criteria stand in
    recipes only.
    """
    from rack_recipes.cli.debugging.run_one_scriptlet import run_scriptlet

    return run_scriptlet(options)
