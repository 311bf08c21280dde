# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `stop`."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shared_options import examples


def add_stop(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("run", metavar="RUN", help="the run that goes on: its id, or its beginning")
    examples(command, "rack-recipes stop 20261129-101500", "rack-recipes stop 20261129-101500 --json")


def stop(options: argparse.Namespace) -> Answer:
    """Stop a run that goes on on this machine, as Ctrl-C does in its own terminal.

    Its steps are ended on their hosts, what is left gets a result that says so, and the run's journal says who has
    asked for it. This command does not wait for the end: `rack-recipes watch RUN` does.
    """
    from ansible_collections.rack.recipes.plugins.plugin_utils import settings
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_folders import journal_of
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.stop_run import stop_run

    folder = journal_of(Path(settings.load().runs), options.run).parent
    number = stop_run(folder, getpass.getuser())
    return {"status": "ok", "run_id": folder.name, "controller": number}, 0
