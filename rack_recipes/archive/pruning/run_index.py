# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of all runs: those with a folder here, and those with rows in the store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.archive.pinned_runs import is_pinned
from rack_recipes.journal.compressed_journal import journal_exists
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.run_folders import group_in, run_record
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.reading.recorded_runs import read
from rack_recipes.store.schema.tables import tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

HIDDEN = "."  # the first character of the names of folders that belong to no run


@dataclass(frozen=True, slots=True)
class IndexedRun:
    """One run.

    `folder` is None where it has none here, and `size` is the number of bytes in it. `started` is the time in UTC as
    in records, empty where it is unknown. `status` and `changes`, the number of changes of keys, are from the store;
    `status` is empty where the store does not have the run. `has_begun` is false for the folder of a command that
    ended before its run began, or that has not begun it yet. `group` is the id of the group that the run is a part of.
    """

    run_id: str
    folder: Path | None = None
    size: int = 0
    started: str = ""
    pinned: bool = False
    status: str = ""
    changes: int = 0
    has_begun: bool = True
    group: str = ""

    @property
    def whole(self) -> str:
        """The id of the whole that it is a part of: of its group, or its own."""
        return self.group or self.run_id

    @property
    def journal(self) -> Path | None:
        """The path of its journal without `.gz`; None where it has none here."""
        path = self.folder / JOURNAL if self.folder else None
        return path if path and journal_exists(path) else None


def all_runs(runs: Path, store: Engine) -> list[IndexedRun]:
    """All runs, the oldest first. `runs` is the folder of the runs' folders. Raises StoreError."""
    rows = {str(row["run_id"]): row for row in _rows(store)}
    here = {found.run_id: found for folder in _folders(runs) if (found := _from_folder(folder, rows))}
    elsewhere = (_from_row(row) for run_id, row in rows.items() if run_id not in here)
    return sorted([*here.values(), *elsewhere], key=lambda found: (found.started, found.run_id))


def _rows(store: Engine) -> list[dict[str, Any]]:
    known = tables().runs.c
    wanted = (known.run_id, known.started, known.status, known.pinned, known.next_seq, known.group_id)
    return read(store, sql.select(*wanted), {})


def _folders(runs: Path) -> Iterator[Path]:
    if runs.is_dir():
        yield from (path for path in runs.iterdir() if path.is_dir() and not path.name.startswith(HIDDEN))


def _from_folder(folder: Path, rows: Mapping[str, Mapping[str, Any]]) -> IndexedRun | None:
    """The run of a folder; None where the folder was removed meanwhile."""
    try:
        record = run_record(folder / JOURNAL) if journal_exists(folder / JOURNAL) else {}
        row = rows.get(run_id := str(record.get("run", folder.name)), {})
        started = record.get("time") or row.get("started") or _utc_text_of(folder.stat().st_mtime)
        has_begun = bool(record or row) or _has_records(folder / JOURNAL)
        size = size_of(folder)
    except FileNotFoundError:
        return None
    pinned = is_pinned(folder) or bool(row.get("pinned"))
    return IndexedRun(
        run_id,
        folder,
        size,
        started,
        pinned,
        status=row.get("status", ""),
        changes=row.get("next_seq", 1) - 1,
        has_begun=has_begun,
        group=group_in(record) or row.get("group_id") or "",
    )


def _has_records(journal: Path) -> bool:
    return journal_exists(journal) and any(line.record for line in JournalReader(journal).read())


def _from_row(row: Mapping[str, Any]) -> IndexedRun:
    return IndexedRun(
        row["run_id"],
        started=row["started"] or "",
        pinned=bool(row["pinned"]),
        status=row["status"],
        changes=row["next_seq"] - 1,
        group=row["group_id"] or "",
    )


def size_of(folder: Path) -> int:
    """The size of all files below a folder, in bytes."""
    size = 0
    for above, _below, files in os.walk(folder):
        for name in files:
            try:
                size += os.lstat(os.path.join(above, name)).st_size  # noqa: PTH118 - there may be many
            except FileNotFoundError:
                continue
    return size


def _utc_text_of(seconds: float) -> str:
    return utc_text(datetime.fromtimestamp(seconds, UTC))


def utc_text(moment: datetime) -> str:
    """A time in UTC as in records. Such texts sort by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
