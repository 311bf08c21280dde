# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `stop`."""

from __future__ import annotations

import argparse
from pathlib import Path

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import examples


def add_stop(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("run", metavar="RUN", help="the run that goes on: its id, or its beginning")
    examples(command, "rack-recipes stop 20261129-101500", "rack-recipes stop 20261129-101500 --json")


def stop(options: argparse.Namespace) -> Answer:
    """Stop a run that goes on on this machine, as Ctrl-C does in its own terminal.

    Its steps are ended on their hosts, and what is left gets a result that says so. The run's journal, its report and
    `show` say who has asked for it and when. This command does not wait for the end: `rack-recipes watch RUN` does. Of
    a run in parts it stops all parts that go on on this machine.
    """
    from rack_recipes import settings
    from rack_recipes.run.run_folders import find_run
    from rack_recipes.run.stop_run import stop_parts, stop_run
    from rack_recipes.run.trust.os_user import this_user

    found, who = find_run(Path(settings.load().runs), options.run), this_user().name
    if found.is_group:
        parts = stop_parts(found.run_id, [journal.parent for journal in found.journals], who)
        return {"status": "ok", "run_id": found.run_id, "parts": parts}, 0
    return {"status": "ok", "run_id": found.run_id, "controller": stop_run(found.journals[0].parent, who)}, 0
