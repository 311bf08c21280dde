# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands baseline accept, show, compare and withdraw."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples

if TYPE_CHECKING:
    from sqlalchemy import Engine

NONE = "there is no baseline of {}; `rack-recipes baseline accept RUN` makes a run the baseline"
TITLES = ("test", "run", "accepted", "by", "counts", "note")


def add_accept(command: argparse.ArgumentParser) -> None:
    """Add the options of `baseline accept`."""
    add_run(command)
    command.add_argument("--note", metavar="TEXT", default="", help="why it is good, such as `after the rebuild`")
    command.add_argument(
        "--force",
        action="store_true",
        help="accept a run that did not pass, too: what failed in it is then never worse",
    )
    add_db(command)
    examples(
        command, "rack-recipes baseline accept", 'rack-recipes baseline accept 20261125 --note "after the rebuild"'
    )


def accept(options: argparse.Namespace) -> Answer:
    """Make a run the baseline of its test, with which later runs are compared.

    The run is pinned, so that `prune` keeps it. A baseline counts until another run is accepted, or until it is
    withdrawn. A run that did not pass, or was interrupted, needs --force.
    """
    from rack_recipes import settings
    from rack_recipes.archive.pins_and_baselines import accept_baseline
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.run.trust.check_trust import check_store
    from rack_recipes.run.trust.os_user import this_user
    from rack_recipes.store.reading import recorded_runs

    check_store("change", settings.load())
    with opened(options) as store:  # reading only: this makes no store
        run = recorded_runs.run(store, run_id_of(store, options.run, options.db))
    _refuse_unfit(run, force=options.force)
    with opened(options, writing=True) as store:
        row = accept_baseline(store, Path(settings.load().runs), run, this_user().name, options.note)
    return {"status": "ok", **row, "pinned": True}, 0


def _refuse_unfit(run: Any, *, force: bool) -> None:
    """Raise UsageError for a run that cannot be compared with, and without `force` for one that did not pass."""
    from rack_recipes.archive.pins_and_baselines import doubt, unfit
    from rack_recipes.errors import UsageError

    if why := unfit(run):
        raise UsageError(why)
    if why := doubt(run):
        if not force:
            raise UsageError(f"{why}; --force accepts it all the same")
        sys.stderr.write(f"{why}\n")


def add_withdraw(command: argparse.ArgumentParser) -> None:
    """Add the options of `baseline withdraw`."""
    add_run(command, "a run of the test, or the beginning of its id (default: the newest run)")
    add_db(command)
    examples(command, "rack-recipes baseline withdraw", "rack-recipes baseline withdraw 20261125")


def withdraw(options: argparse.Namespace) -> Answer:
    """Withdraw the baseline of a test: no run of it is compared with one until another run is accepted.

    The runs that were baselines stay pinned; `rack-recipes pin RUN --off` lets `prune` remove them.
    """
    from rack_recipes import settings
    from rack_recipes.analysis import regressions_and_baselines
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.errors import UsageError
    from rack_recipes.run.trust.check_trust import check_store
    from rack_recipes.store.reading import recorded_runs

    check_store("change", settings.load())
    with opened(options) as store:
        test = regressions_and_baselines.name_of_test(
            recorded_runs.run(store, run_id_of(store, options.run, options.db))
        )
    with opened(options, writing=True) as store:
        number = regressions_and_baselines.withdraw(store, test)
    if not number:
        raise UsageError(NONE.format(test))
    return {"status": "ok", "test_id": test, "withdrawn": number}, 0


def add_show(command: argparse.ArgumentParser) -> None:
    """Add the options of `baseline show`."""
    add_db(command)
    examples(command, "rack-recipes baseline show", "rack-recipes baseline show --json")


def show(options: argparse.Namespace) -> Answer:
    """List all runs that were accepted as baselines, the newest first: by whom, when, why, and which of them count."""
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.cli.terminal.text_table import to_text
    from rack_recipes.store.reading import recorded_runs

    with opened(options) as store:
        found = recorded_runs.baselines(store)
    counting: dict[str, Any] = {}
    for row in found:
        if not row["withdrawn"]:
            counting.setdefault(row["test_id"], row)
    found = [{**row, "counts": row == counting.get(row["test_id"])} for row in found]
    if options.json:
        return {"baselines": found}, 0
    rows = [
        (
            row["test_id"],
            row["run_id"],
            row["accepted"],
            row["user"] or "-",
            "yes" if row["counts"] else "no",
            row["note"] or "",
        )
        for row in found
    ]
    return to_text(TITLES, rows) if rows else "no run was accepted as a baseline\n", 0


def add_compare(command: argparse.ArgumentParser) -> None:
    """Add the options of `baseline compare`."""
    from rack_recipes.cli.results.diff import add_comparison

    add_run(command)
    add_comparison(command, "in the baseline", "in the run")
    add_db(command)
    examples(command, "rack-recipes baseline compare", "rack-recipes baseline compare --exit-code")


def compare(options: argparse.Namespace) -> Answer:
    """Compare a run with the baseline of its test, as `diff` compares two runs.

    Without a baseline it ends with exit code 2.
    """
    from rack_recipes.cli.results.diff import compared
    from rack_recipes.cli.results.open_store import opened, run_id_of

    with opened(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        return compared(store, _baseline_id(store, run_id), run_id, options)


def _baseline_id(store: Engine, run_id: str) -> str:
    """The run that is the baseline of a run. Raises UsageError where there is none."""
    from rack_recipes.analysis.regressions_and_baselines import baseline_of, name_of_test
    from rack_recipes.errors import UsageError
    from rack_recipes.store.reading import recorded_runs

    run = recorded_runs.run(store, run_id)
    found = baseline_of(store, run)
    if found is None:
        raise UsageError(NONE.format(name_of_test(run)))
    return str(found["run_id"])
