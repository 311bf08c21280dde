# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command analyse."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from rack_recipes.cli.archive.ages_and_sizes import number
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples

NOTHING = "nothing was found\n"


def add_analyse(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_run(command)
    command.add_argument(
        "--last", metavar="N", type=number, default=20, help="compare with the last N earlier runs (default: 20)"
    )
    command.add_argument(
        "--summary",
        action="store_true",
        help="with a summary in a few sentences: by the language model of the setting summary_url, else by rules",
    )
    add_db(command)
    examples(
        command,
        "rack-recipes analyse",
        "rack-recipes analyse 20261125-1444 --last 50",
        "rack-recipes analyse --json | jq '.findings[] | select(.grade == \"problem\").title'",
    )


def analyse(options: argparse.Namespace) -> Answer:
    """Find what a run has to tell: causes, what is worse than before, hosts that differ from their twins, changes.

    A run is compared with the earlier runs of its test. Runs in check mode and runs that have not ended do not count.
    The findings are stored, so that `show`, reports and other programs have the same. They replace those of an earlier
    analysis; a summary that was made after the run had ended stays until there is a new one. Each finding says by which
    method it was made, and how often that method is wrong.
    """
    from rack_recipes import settings
    from rack_recipes.analysis.analyse_run import analyse as findings_of
    from rack_recipes.analysis.analyse_run import store_findings_at, with_summary
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.cli.results.finding_lines import finding_lines
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.errors import StoreError
    from rack_recipes.store.reading import recorded_runs

    with opened(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        run, project = load_run_data(store, run_id, recorded_runs.judged), settings.load()
        found = with_summary(store, run, findings_of(store, run, options.last), project if options.summary else None)
    is_stored = True
    try:
        store_findings_at(options.db or project.db, run_id, found)
    except StoreError as error:
        is_stored = False
        sys.stderr.write(f"the findings are not stored: {error}\n")
    if options.json:
        findings: list[dict[str, Any]] = [asdict(one) for one in found]
        return {"run_id": run_id, "stored": is_stored, "findings": findings}, 0
    return "".join([f"run {run_id}\n", *(finding_lines(found) if found else [NOTHING])]), 0
