# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are never pruned.

They are marked both in their folder, for when the store cannot be reached, and in the store, for other controllers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.private_files import FILE_MODE
from rack_recipes.store.database.database_errors import patiently, translated
from rack_recipes.store.database_engine import PATIENCE
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

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

    with translated(store.url):
        return bool(patiently(write, PATIENCE))
