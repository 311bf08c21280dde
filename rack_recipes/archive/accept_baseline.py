# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a run the baseline of its test: in the store, and pinned so that it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.analysis import regressions_and_baselines
from rack_recipes.archive import pinned_runs
from rack_recipes.run.run_folders import parts_by_group
from rack_recipes.store.reading.earlier_runs import counts

if TYPE_CHECKING:
    from sqlalchemy import Engine

Row = Mapping[str, Any]


def unfit(run: Row) -> str:
    """Why a run cannot be a baseline; empty where it can."""
    return "" if counts(run) else f"run {run['run_id']} cannot be a baseline: it has not ended, or it was in check mode"


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
    pinned_runs.pin_stored(store, run["run_id"], pinned=True)
    row = regressions_and_baselines.accept(store, run, user, note)
    parts = [journal.parent for journal in parts_by_group(runs).get(run["run_id"], ())] if run["group_id"] else []
    for folder in (runs / run["run_id"], *parts):
        if folder.is_dir():
            pinned_runs.pin(folder, pinned=True)
    return row
