# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `waivers suggest`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples

if TYPE_CHECKING:
    from rack_recipes.analysis.findings import Finding
    from rack_recipes.analysis.run_data import RunData

NONE = "# nothing to put into quarantine: no step of run {run} fails now and then so often that it is sure\n"
KEYS = ("step", "test_id", "hosts", "reason", "who", "passes")


def add_suggest(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_run(command)
    add_db(command)
    examples(command, "rack-recipes waivers suggest", "rack-recipes waivers suggest 20261125-14 --json")


def suggest(options: argparse.Namespace) -> Answer:
    """Print waivers, ready to paste, for steps that fail now and then with the same inputs.

    These are the flakes that the analysis of the run would put into quarantine: at least three times they began to
    fail, and even the low end of their rate is above one run in a hundred. Each waiver ends by as many passes in a row
    as rule the rate out. What a waiver covered already in this run is left out.
    """
    from rack_recipes.analysis import flakes
    from rack_recipes.analysis.history import History
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.recipe.waiver_file import as_line

    with opened(options) as store:
        run = load_run_data(store, run_id_of(store, options.run, options.db))
        found = [one for one in flakes.findings(run, History(store, run)) if one.about.get("quarantine")]
    entries = _entries(run, found)
    if options.json:
        return {"run": run.run["run_id"], "waivers": entries}, 0
    return "".join(map(as_line, entries)) or NONE.format(run=run.run["run_id"]), 0


def _entries(run: RunData, found: Sequence[Finding]) -> Sequence[dict[str, Any]]:
    """One waiver for each step and number of passes, with its hosts; a step of the run has none."""
    from rack_recipes.run.trust.os_user import this_user

    covered = {(row["host"], row["step"]) for row in run.results if row.get("waived")}
    gathered: dict[tuple[str, int], MutableSequence[Finding]] = {}
    for one in found:
        place = (one.about["host"], one.about["step"])
        if place not in covered:
            gathered.setdefault((place[1], one.figures["passes_needed"]), []).append(one)
    who = this_user().name
    return [_entry(run.run, step, passes, flakes, who) for (step, passes), flakes in gathered.items()]


def _entry(run: Mapping[str, Any], step: str, passes: int, flakes: Sequence[Finding], who: str) -> dict[str, Any]:
    failed, runs = (sum(one.figures[name] for one in flakes) for name in ("failed", "runs"))
    given = {
        "step": step,
        "test_id": run["test_id"],
        "hosts": [one.about["host"] for one in flakes if one.about["host"]],
        "reason": f"a flake: {failed} of {runs} results failed with the same inputs",
        "who": who,
        "passes": passes,
    }
    return {name: given[name] for name in KEYS if given[name]}
