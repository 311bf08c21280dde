# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove runs: their folders, and their rows in the store.

A folder is moved away before it is removed, and rows are deleted in transactions. So a prune that is killed leaves no
half of a run.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.archive.pinned_runs import is_pinned
from rack_recipes.archive.pruning.run_index import HIDDEN, IndexedRun
from rack_recipes.errors import RackError, StoreError, UsageError
from rack_recipes.journal import compressed_journal
from rack_recipes.private_files import make_private
from rack_recipes.run.run_folders import hold_run
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database.database_errors import patiently, translated
from rack_recipes.store.database.hide_url_password import shown
from rack_recipes.store.database_engine import PATIENCE
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

TRASH = f"{HIDDEN}pruned"  # the folder, beside those of runs, into which folders are moved before they are removed
MAX_CHANGES = 50_000  # changes of keys whose rows one transaction deletes, unless a single run has more
MAX_RUNS = 100  # runs whose rows one transaction deletes


def remove_folder(folder: Path) -> None:
    """Remove a run's folder. It is moved away first, so that a kill leaves no half of it. Raises RackError."""
    trash = folder.parent / TRASH
    try:
        with hold_run(folder):
            _refuse_pinned(folder)
            make_private(trash)
            target = trash / f"{folder.name}-{secrets.token_hex(4)}"
            folder.rename(target)
        _remove(target)
    except OSError as error:
        raise RackError(f"{error.filename or folder}: {error.strerror}") from error


def remove_leftovers(runs: Path) -> None:
    """Remove the folders that a killed prune had moved away. Raises RackError."""
    try:
        if (runs / TRASH).exists():
            _remove(runs / TRASH)
    except OSError as error:
        raise RackError(f"{error.filename}: {error.strerror}") from error


def _remove(folder: Path) -> None:
    """Remove a folder, while another prune may be removing it too. Raises OSError."""

    def tolerate(_call: object, _path: str, error: BaseException) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    shutil.rmtree(folder, onexc=tolerate)


def compress(folder: Path, journal: Path) -> int:
    """Compress a run's journal. Returns the bytes saved. Where it raises RackError, the journal is unchanged."""
    try:
        with hold_run(folder):
            _refuse_pinned(folder)
            return compressed_journal.compress_journal(journal)
    except OSError as error:
        raise RackError(f"{error.filename or folder}: {error.strerror}") from error


def _refuse_pinned(folder: Path) -> None:
    """Raise UsageError for a run that was pinned after it was selected."""
    if is_pinned(folder):
        raise UsageError("pinned")


def remove_rows(store: Engine, runs: Sequence[IndexedRun], on_progress: Callable[[int], None]) -> int:
    """Delete all rows of these runs from the store, except those of pinned ones. Returns the number of runs deleted.

    `on_progress` is called after each transaction with the number of runs deleted so far. Raises StoreError; what was
    deleted before stays deleted.
    """
    done = 0
    for batch in _batches(runs):
        with translated(store.url):
            done += patiently(lambda batch=batch: _delete(store, batch), PATIENCE)  # type: ignore[misc]
        on_progress(done)
    return done


def _batches(runs: Sequence[IndexedRun]) -> Iterator[list[str]]:
    batch: list[str] = []
    changes = 0
    for run in runs:
        if batch and (changes + run.changes > MAX_CHANGES or len(batch) == MAX_RUNS):
            yield batch
            batch, changes = [], 0
        batch.append(run.run_id)
        changes += run.changes
    if batch:
        yield batch


def _delete(store: Engine, run_ids: Sequence[str]) -> int:
    """Delete rows of the table `runs`; the database deletes the rows of other tables with them."""
    runs = tables().runs
    with store.begin() as connection:
        chosen = runs.c.run_id.in_(run_ids), runs.c.pinned.is_not(True)
        return connection.execute(sql.delete(runs).where(*chosen)).rowcount


def vacuum(store: Engine) -> int:
    """Give the space of deleted rows in a SQLite file back to the disk. Returns the number of bytes.

    Nobody can write to the store meanwhile, and it needs as much free space as the file has. Raises StoreError, also
    for other databases.
    """
    if store.dialect.name != "sqlite":
        raise StoreError(f"{shown(store.url)}: only a SQLite store has to be vacuumed, a server uses the room again")
    path = Path(str(store.url.database))
    before = _size(path)
    raw = store.raw_connection()
    try:  # SQLite refuses VACUUM in a transaction, and SQLAlchemy would begin one
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            raw.cursor().execute(statement)
    except sqlite3.Error as error:
        raise StoreError(f"{shown(store.url)}: {error}") from error
    finally:
        raw.close()
    return before - _size(path)


def _size(path: Path) -> int:
    """The size of a SQLite file and of its write-ahead log, in bytes."""
    parts = (path, path.with_name(f"{path.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())
