# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command pin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.command_table import Answer
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.shared_options import add_db, add_run, examples


def add_pin(command: argparse.ArgumentParser) -> None:
    """Add the options of `pin`."""
    add_run(command)
    command.add_argument("--off", action="store_true", help="take the mark away, so that the run may be pruned")
    add_db(command)
    examples(command, "rack-recipes pin 20261125-1444", "rack-recipes pin 20261125-1444 --off")


def pin(options: argparse.Namespace) -> Answer:
    """Mark a run, so that `prune` neither removes nor compresses it, nor its rows in the store.

    The mark is written to the run's folder and to the store, as far as the run is there. So it counts while the store
    cannot be reached, and for other controllers that use the store.
    """
    from ansible_collections.rack.recipes.plugins.plugin_utils import settings
    from ansible_collections.rack.recipes.plugins.plugin_utils.archive import pinned_runs
    from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError, UsageError
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.check_trust import check_store

    check_store("change", settings.load())
    folder = _folder(Path(settings.load().runs), options.run)
    if folder:
        pinned_runs.pin(folder, pinned=not options.off)
    try:
        run_id = _pin_stored(options, folder)
    except StoreError as error:
        if folder is None:
            raise
        run_id = ""
        sys.stderr.write(f"only in the run's folder: {error}\n")
    if not folder and not run_id:
        raise UsageError(f"there is no run {options.run!r} here, nor in the store")
    answer = {"run_id": run_id or (folder.name if folder else ""), "pinned": not options.off}
    return {"status": "ok", **answer, "folder": bool(folder), "store": bool(run_id)}, 0


def _folder(runs: Path, start: str) -> Path | None:
    """The run's folder, None where it has none here. Raises UsageError where several runs begin with `start`."""
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_folders import journal_of, journals

    if not any(path.parent.name.startswith(start) for path in journals(runs)):
        return None
    return journal_of(runs, start).parent


def _pin_stored(options: argparse.Namespace, folder: Path | None) -> str:
    """Mark the run in the store. Returns its id, empty where the store does not have it. Raises StoreError."""
    from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
    from ansible_collections.rack.recipes.plugins.plugin_utils.archive import pinned_runs
    from ansible_collections.rack.recipes.plugins.plugin_utils.cli.results.open_store import opened, run_id_of
    from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
    from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.import_journal import run_of

    with opened(options) as store:  # reading only: this makes no store
        try:
            run_id = run_of(folder / JOURNAL) if folder else run_id_of(store, options.run)
        except UsageError:
            return ""
    with opened(options, writing=True) as store:
        return run_id if pinned_runs.pin_stored(store, run_id, pinned=not options.off) else ""
