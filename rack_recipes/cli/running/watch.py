# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `watch`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples
from rack_recipes.errors import UsageError

PAUSE = 0.3  # seconds between two drawings
GONE = 3.0  # seconds without a process of the run after which its end is not expected any more
NO_END = "its process is gone, and has written no end"


def add_watch(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_run(command)
    add_db(command)
    examples(command, "rack-recipes watch", "rack-recipes watch 20261125-1444", "rack-recipes watch night-42")


def watch(options: argparse.Namespace) -> Answer:
    """Show the progress of a run until it ends, its use of this machine's CPU and memory, and then its result.

    It works from any terminal of the machine that the run is on, and in several terminals at once. A run in parts is
    watched by its group's id, from any machine that can read the store.
    """
    from rack_recipes import settings
    from rack_recipes.cli.running.live_cpu_and_memory import ProcessUsage
    from rack_recipes.cli.running.run_answer import print_summary
    from rack_recipes.run.launcher.progress_and_summary import Progress, StatusLine, summarize
    from rack_recipes.run.run_folders import is_run_held, journal_of

    try:
        path = journal_of(Path(settings.load().runs), options.run)
    except UsageError:
        from rack_recipes.cli.running.watch_parts import watch_parts

        if not options.run or (of_parts := watch_parts(options)) is None:
            raise
        return of_parts
    progress, load, drawing = Progress.of(path), ProcessUsage(path.parent), StatusLine(sys.stderr)
    progress.catch_up()
    seen = time.monotonic()
    try:
        while not progress.end:
            if is_run_held(path.parent):
                seen = time.monotonic()
            elif time.monotonic() - seen > GONE:
                break
            if drawing.shown:
                drawing.draw("  ".join(filter(None, [progress.line(), load.line()])))
            time.sleep(PAUSE)
            progress.catch_up()
    finally:
        drawing.clear()
    summary = summarize(path)
    answer = {**summary.to_data(), **({} if progress.end else {"reason": NO_END})}
    if not options.json:
        print_summary(summary, answer)
    return answer, summary.exit_code
