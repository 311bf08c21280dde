# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `debug`."""

from __future__ import annotations

import argparse

from rack_recipes.cli.command_options import Answer, log_levels, takes


@takes(
    """
    SCRIPTLET  what a recipe writes as `module`, such as link.errors
    --function CLASS=  the class, if the file has several
    --type python|shell|native  the type, if files of the same name have different types
    --args JSON={}  its arguments as one object, '{"path": "/"}', or @FILE with them in YAML or JSON (other users can
        see what is written here in the process list: put secrets into a file)
    --arg NAME=VALUE...  one argument, converted to the type of its option; it wins over --args
    --context FILE  the context that it finds: keys with values in YAML or JSON, or the output of `ctx show --json`
    --host HOST  run it on this host, as a run of its own (default: in this process)
    -i, --inventory PATH...  inventory with the host
    --log-level LOG_LEVEL  show less of it: error has attempts that ended in failed or error; warning (or warn) also
        what steps write to stderr; info also their arguments, processes and changes of the context; debug is
        everything (default: debug)
    --pdb  stop in Python's debugger where its `run` begins and where it raises; Python on this machine only
    examples:
    rack-recipes debug disk.usage --arg path=/ --arg max_percent=90
    rack-recipes debug rack.recipes.numbers_stats --args '{"src": "data/numbers.csv"}'
    rack-recipes debug link.errors --host leaf1 -i inventory.yml
    rack-recipes debug link.errors --pdb
    """,
    log_level=log_levels("debug"),
)
def debug(options: argparse.Namespace) -> Answer:
    """Run one scriptlet by itself, on this machine or on one host, and show all that it does.

    Stderr has the trace: arguments, changes of the context, subprocesses, variables, tracebacks, output, resources.
    Stdout has the envelope with the verdict, as in a run. The scriptlet's own checks are judged; criteria stand in
    recipes only.
    """
    from rack_recipes.cli.debugging.run_one_scriptlet import run_scriptlet

    return run_scriptlet(options)
