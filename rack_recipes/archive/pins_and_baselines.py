# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are never pruned, and baselines: a run that is accepted as one is pinned.

They are marked both in their folder, for when the store cannot be reached, and in the store, for other controllers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from rack_recipes.analysis import regressions_and_baselines
from rack_recipes.private_files import FILE_MODE
from rack_recipes.run.run_folders import parts_by_group
from rack_recipes.settings import WHERE_TO_NAME
from rack_recipes.store.database.databases_and_errors import call_patiently, translate_errors
from rack_recipes.store.database_engine import PATIENCE
from rack_recipes.store.reading.earlier_runs import counts
from rack_recipes.store.schema.tables import tables

MARK = "pinned"


def is_pinned(folder: Path) -> bool:
    """Whether a run's folder is marked."""
    return (folder / MARK).exists()


def pin(folder: Path, *, pinned: bool) -> None:
    """Mark a run's folder, or take the mark away. Raises OSError."""
    if pinned:
        (folder / MARK).touch(FILE_MODE)
    else:
        (folder / MARK).unlink(missing_ok=True)


def pin_stored(store: Engine, run_id: str, *, pinned: bool) -> bool:
    """Mark a run in the store, or take the mark away; of a group all its parts, too.

    Returns whether the store has the run. Raises StoreError.
    """
    runs = tables().runs
    is_meant = (runs.c.run_id == run_id) | (runs.c.group_id == run_id)
    change = runs.update().where(is_meant).values(pinned=True if pinned else None)

    def write() -> int:
        with store.begin() as connection:
            return connection.execute(change).rowcount

    with translate_errors(store.url):
        return bool(call_patiently(write, PATIENCE))


Row = Mapping[str, Any]


def unfit(run: Row) -> str:
    """Why a run cannot be a baseline; empty where it can."""
    why = "" if counts(run) else "it has not ended, or it was in check mode"
    if not why and not regressions_and_baselines.name_of_test(run):
        why = "its test has no name, so every playbook would have the same baseline: set rack_recipes_test_id "
        why += WHERE_TO_NAME
    return why and f"run {run['run_id']} cannot be a baseline: {why}"


def doubt(run: Row) -> str:
    """What it means to accept a run that did not pass; empty for one that did."""
    if run["status"] == "passed":
        return ""
    return (
        f"run {run['run_id']} did not pass ({run['status']}): as the baseline it counts as good, so what failed in it, "
        "or was not run, is never called worse when it is so again"
    )


def accept_baseline(store: Engine, runs: Path, run: Row, user: str, note: str) -> Row:
    """Make a run the baseline; returns the row of `baselines`. `runs` is the folder of runs. Raises StoreError."""
    pin_stored(store, run["run_id"], pinned=True)
    row = regressions_and_baselines.accept(store, run, user, note)
    parts = [journal.parent for journal in parts_by_group(runs).get(run["run_id"], ())] if run["group_id"] else []
    for folder in (runs / run["run_id"], *parts):
        if folder.is_dir():
            pin(folder, pinned=True)
    return row
