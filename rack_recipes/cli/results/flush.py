# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command flush."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples
from rack_recipes.errors import JournalError


def add_flush(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_run(command)
    add_db(command)
    examples(command, "rack-recipes flush", "rack-recipes flush 20261125-1444 --db mysql://rack:SECRET@db.example/rack")


def flush(options: argparse.Namespace) -> Answer:
    """Bring what a run left in its journal into the store: once, whatever of it is there already.

    For results that could not be stored when the run ended (exit code 5), or that another store is to have, too. Of a
    run that goes on it brings what there is by now; `kill -USR1` to its process does the same. Damaged lines of the
    journal are named, and the exit code is 5 then. Of a run in parts it brings all parts that are on this machine.
    """
    from rack_recipes import settings
    from rack_recipes.archive.pins_and_baselines import is_pinned, pin_stored
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.journal.reader import describe_damage
    from rack_recipes.run.run_folders import find_run, is_run_held
    from rack_recipes.run.store_writer import end_abandoned_run
    from rack_recipes.store.writing.import_journal import Imported, import_journal

    found = find_run(Path(settings.load().runs), options.run)
    done: dict[Path, Imported] = {}
    with opened(options, writing=True) as store:
        for journal in found.journals:
            if not is_run_held(journal.parent):  # it may have had no room for its end record, as on a full disk
                end_abandoned_run(journal)
            done[journal] = import_journal(store, journal)
            if is_pinned(journal.parent):
                pin_stored(store, done[journal].run_id, pinned=True)
    names = [journal.parent.name for journal in done]
    answer = {
        "run_id": found.run_id,
        **({"parts": names} if found.is_group else {}),
        "rows": sum(each.rows for each in done.values()),
        "damaged": [line for each in done.values() for line in each.damaged],
    }
    reasons = filter(None, (describe_damage(journal, each.damaged) for journal, each in done.items()))
    reason = "; ".join(reasons)
    if not reason:
        return {"status": "ok", **answer}, 0
    sys.stderr.write(f"{reason}\n")
    code = JournalError.exit_code
    return {"status": "error", **answer, "reason": reason, "exit_code": code}, code
