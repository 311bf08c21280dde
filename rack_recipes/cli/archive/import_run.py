# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command import."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples

if TYPE_CHECKING:
    from rack_recipes.archive.import_pack import ImportedRun


def add_import(command: argparse.ArgumentParser) -> None:
    """Add the options of `import`."""
    command.add_argument("pack", metavar="PATH", help="the pack: a folder, or an archive with its .sha256 beside it")
    add_db(command)
    examples(
        command,
        "rack-recipes import rack-recipes-20261125-144400-3f9a2c.tar.gz",
        "rack-recipes import /srv/evidence/burn-in --db postgresql://rack@db.example/rack",
    )


def import_(options: argparse.Namespace) -> Answer:
    """Bring the run of a pack here: its folder, as it was where the pack was made, and its results into the store.

    The pack is checked as by `verify`. One that was changed is refused with exit code 1, and the files are named. The
    same pack again changes nothing. A run that is here is replaced only where it has no end yet and its journal is the
    beginning of the one in the pack; another run of the same id is refused. A part joins its group.
    """
    from rack_recipes import settings
    from rack_recipes.archive.import_pack import import_packed_run, opened_pack
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.journal.reader import describe_damage
    from rack_recipes.run.launcher.progress_and_summary import StatusLine

    drawing, runs = StatusLine(sys.stderr), Path(settings.load().runs)
    try:
        with opened_pack(Path(options.pack), runs, lambda name: drawing.draw(f"reading {name}")) as packed:
            drawing.clear()
            with opened(options, writing=True) as store:
                done = import_packed_run(packed, runs, store)
    finally:
        drawing.clear()
    if reason := describe_damage(
        runs / done.run_id, done.damaged
    ):  # it was so where the pack was made: all else is here
        sys.stderr.write(f"{reason}\n")
    return (_to_data(done, runs) if options.json else _line(done)), 0


def _to_data(done: ImportedRun, runs: Path) -> dict[str, object]:
    return {
        "status": "ok",
        "run_id": done.run_id,
        "state": done.state,
        "group": done.group or None,
        "folder": str(runs / done.run_id),
        "rows": done.rows,
        "damaged": [*done.damaged],
    }


def _line(done: ImportedRun) -> str:
    group = f", a part of {done.group}" if done.group else ""
    return f"run {done.run_id}{group}: {done.state}, {done.rows} rows stored\n"
