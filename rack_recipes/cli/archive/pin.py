# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command pin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples

if TYPE_CHECKING:
    from rack_recipes.run.run_folders import FoundRun


def add_pin(command: argparse.ArgumentParser) -> None:
    """Add the options of `pin`."""
    add_run(command)
    command.add_argument("--off", action="store_true", help="take the mark away, so that the run may be pruned")
    add_db(command)
    examples(command, "rack-recipes pin 20261125-1444", "rack-recipes pin 20261125-1444 --off")


def pin(options: argparse.Namespace) -> Answer:
    """Mark a run, so that `prune` neither removes nor compresses it, nor its rows in the store.

    The mark is written to the run's folder and to the store, as far as the run is there. So it counts while the store
    cannot be reached, and for other controllers that use the store. Of a run in parts all parts are marked, too.
    """
    from rack_recipes import settings
    from rack_recipes.archive import pins_and_baselines
    from rack_recipes.errors import StoreError
    from rack_recipes.run.run_folders import find_here
    from rack_recipes.run.trust.check_trust import check_store

    check_store("change", settings.load())
    found = find_here(Path(settings.load().runs), options.run)
    for journal in found.journals if found else ():
        pins_and_baselines.pin(journal.parent, pinned=not options.off)
    try:
        run_id = _pin_stored(options, found)
    except StoreError as error:
        if found is None:
            raise
        run_id = ""
        sys.stderr.write(f"only in the run's folder: {error}\n")
    answer = {"run_id": run_id or (found.run_id if found else ""), "pinned": not options.off}
    parts = {"parts": [journal.parent.name for journal in found.journals]} if found and found.is_group else {}
    return {"status": "ok", **answer, **parts, "folder": bool(found), "store": bool(run_id)}, 0


def _pin_stored(options: argparse.Namespace, found: FoundRun | None) -> str:
    """Mark the run in the store. Returns its id, empty where only its folder is here.

    Raises StoreError, and UsageError where it is neither here nor there.
    """
    from rack_recipes.archive import pins_and_baselines
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.store.writing.import_journal import run_of

    with opened(options) as store:  # reading only: this makes no store
        if found is None:
            run_id = run_id_of(store, options.run)
        else:
            run_id = found.run_id if found.is_group else run_of(found.journals[0])
    with opened(options, writing=True) as store:
        return run_id if pins_and_baselines.pin_stored(store, run_id, pinned=not options.off) else ""
