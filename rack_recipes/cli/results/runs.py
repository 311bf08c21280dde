# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from rack_recipes.cli.archive.ages_and_sizes import number
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples

TITLES = ("run", "status", "test", "recipe", "started", "verdicts")


def add_runs(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("-n", "--number", metavar="N", type=number, default=20, help="how many (default: 20)")
    add_db(command)
    examples(command, "rack-recipes runs", "rack-recipes runs -n 1 --json | jq -r '.runs[].run_id'")


def runs(options: argparse.Namespace) -> Answer:
    """List the runs in the store, the newest first: status, test, recipe, start, counts of verdicts."""
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.cli.terminal.colours import painter
    from rack_recipes.cli.terminal.text_table import to_text
    from rack_recipes.store.reading import recorded_runs

    with opened(options) as store:
        found = recorded_runs.runs(store)[: options.number]
        flakes = recorded_runs.flakes(store, [run["run_id"] for run in found])
    found = [{**run, "flakes": flakes.get(run["run_id"], 0)} for run in found]
    if options.json:
        return {"runs": found}, 0
    names = ("run_id", "status", "test_id", "recipe", "started")
    rows = [(*(run[name] or "-" for name in names), summary_of(run, run["flakes"])) for run in found]
    return to_text(TITLES, rows, painter(sys.stdout)), 0


def summary_of(run: Mapping[str, Any], flakes: int) -> str:
    """In words: counts of verdicts and flakes, the run that was resumed, and whether the run is pinned."""
    counts = ", ".join(f"{number} {verdict}" for verdict, number in run["counts"].items())
    again = f"{flakes} of them after a retry" if flakes else ""
    resumes = run["resumes"] and f"resumes {run['resumes']}"
    return "; ".join(filter(None, (counts, again, resumes, "pinned" if run["pinned"] else "")))
