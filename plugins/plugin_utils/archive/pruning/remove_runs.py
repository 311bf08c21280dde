# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removing runs: a folder goes as a whole, rows in transactions of their own, so that a kill leaves nothing half."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.pinned_runs import is_pinned
from ansible_collections.rack.recipes.plugins.plugin_utils.archive.pruning.run_index import HIDDEN, IndexedRun
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, StoreError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal import compressed_journal
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import make_private
from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_folders import held
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database import lazy_sqlalchemy as sql
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database.database_errors import (
    patiently,
    shown,
    translated,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database_engine import PATIENCE
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

GOING = f"{HIDDEN}pruned"  # the folder among those of runs in which what is removed waits for its end
MOST_CHANGES = 50_000  # rows of the largest table that one transaction deletes, unless a single run has more
MOST_RUNS = 100


def remove_folder(folder: Path) -> None:
    """Remove a run's folder, first by its name, so that no half of it is left. Raises RackError."""
    going = folder.parent / GOING
    try:
        with held(folder):
            _refuse_pinned(folder)
            make_private(going)
            target = going / f"{folder.name}-{secrets.token_hex(4)}"
            folder.rename(target)
        _remove(target)
    except OSError as error:
        raise RackError(f"{error.filename or folder}: {error.strerror}") from error


def remove_leftovers(runs: Path) -> None:
    """Finish what a prune that was killed had begun. Raises RackError."""
    try:
        if (runs / GOING).exists():
            _remove(runs / GOING)
    except OSError as error:
        raise RackError(f"{error.filename}: {error.strerror}") from error


def _remove(folder: Path) -> None:
    """Remove a folder, of which another prune may remove parts as well. Raises OSError."""

    def tolerate(_call: object, _path: str, error: BaseException) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    shutil.rmtree(folder, onexc=tolerate)


def compress(folder: Path, journal: Path) -> int:
    """Compress a run's journal; returns the bytes saved. Raises RackError, the journal as it was."""
    try:
        with held(folder):
            _refuse_pinned(folder)
            return compressed_journal.compress(journal)
    except OSError as error:
        raise RackError(f"{error.filename or folder}: {error.strerror}") from error


def _refuse_pinned(folder: Path) -> None:
    """It may have been pinned since it was chosen."""
    if is_pinned(folder):
        raise UsageError("pinned")


def remove_rows(store: Engine, runs: Sequence[IndexedRun], tell: Callable[[int], None]) -> int:
    """Delete all that the store holds of these runs, but for pinned ones; returns how many runs that were.

    `tell` is called with the number of runs done after each transaction. Raises StoreError; what was deleted by then
    stays deleted.
    """
    done = 0
    for batch in _batches(runs):
        with translated(store.url):
            done += patiently(lambda batch=batch: _delete(store, batch), PATIENCE)  # type: ignore[misc]
        tell(done)
    return done


def _batches(runs: Sequence[IndexedRun]) -> Iterator[list[str]]:
    batch: list[str] = []
    changes = 0
    for run in runs:
        if batch and (changes + run.changes > MOST_CHANGES or len(batch) == MOST_RUNS):
            yield batch
            batch, changes = [], 0
        batch.append(run.run_id)
        changes += run.changes
    if batch:
        yield batch


def _delete(store: Engine, run_ids: Sequence[str]) -> int:
    """All other tables' rows go with those of `runs`."""
    runs = tables().runs
    with store.begin() as connection:
        chosen = runs.c.run_id.in_(run_ids), runs.c.pinned.is_not(True)
        return connection.execute(sql.delete(runs).where(*chosen)).rowcount


def vacuum(store: Engine) -> int:
    """Give the room of deleted rows back to the disk; returns the bytes. Raises StoreError, also where it is no SQLite.

    Nobody can write meanwhile, and the file's size is needed once more.
    """
    if store.dialect.name != "sqlite":
        raise StoreError(f"{shown(store.url)}: only a SQLite store has to be vacuumed, a server uses the room again")
    path = Path(str(store.url.database))
    before = _size(path)
    raw = store.raw_connection()
    try:  # by itself: it is refused in a transaction, with which SQLAlchemy would begin
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            raw.cursor().execute(statement)
    except sqlite3.Error as error:
        raise StoreError(f"{shown(store.url)}: {error}") from error
    finally:
        raw.close()
    return before - _size(path)


def _size(path: Path) -> int:
    """The bytes of a SQLite file and of its log."""
    parts = (path, path.with_name(f"{path.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())
