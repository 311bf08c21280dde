# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists all runs, selects those to prune by the options, and removes their folders and their rows in the store.

A folder is moved away before it is removed, and rows are deleted in transactions. So a prune that is killed leaves no
half of a run.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.archive.pins_and_baselines import is_pinned
from rack_recipes.errors import JournalError, RackError, StoreError, UsageError
from rack_recipes.journal import compressed_journal
from rack_recipes.journal.compressed_journal import is_compressed, journal_exists
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import json_text
from rack_recipes.private_files import make_private
from rack_recipes.run.run_folders import group_in, hold_run, is_run_held, run_record
from rack_recipes.store.database.database_kind import url_without_password
from rack_recipes.store.database.databases_and_errors import call_patiently, translate_errors
from rack_recipes.store.database_engine import PATIENCE
from rack_recipes.store.reading.recorded_runs import read
from rack_recipes.store.schema.tables import OUTPUTS, tables
from rack_recipes.store.writing.import_journal import JournalImport

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


def all_runs(runs: Path, store: sql.Engine) -> list[IndexedRun]:
    """All runs, the oldest first. `runs` is the folder of the runs' folders. Raises StoreError."""
    rows = {str(row["run_id"]): row for row in _rows(store)}
    here = {found.run_id: found for folder in _folders(runs) if (found := _from_folder(folder, rows))}
    elsewhere = (_from_row(row) for run_id, row in rows.items() if run_id not in here)
    return sorted([*here.values(), *elsewhere], key=lambda found: (found.started, found.run_id))


def _rows(store: sql.Engine) -> list[dict[str, Any]]:
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
        started = (
            record.get("time") or row.get("started") or utc_text(datetime.fromtimestamp(folder.stat().st_mtime, UTC))
        )
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
    return journal_exists(journal) and any(JournalReader(journal).records())


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


def utc_text(moment: datetime) -> str:
    """A time in UTC as in records. Such texts sort by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


STARTING = timedelta(hours=1)  # a folder without a journal may belong to a run that is starting
RUNNING = "running"  # the status in the store of a run whose end it does not have yet
Why = Callable[[IndexedRun], str]


@dataclass(frozen=True, slots=True)
class PruneRules:
    """Which runs to prune; a run is selected where any of the rules selects it.

    Runs that are older than `older_than`; all except the newest `keep`; the oldest, until the folders of all runs have
    at most `max_size` bytes. None for no such rule. A group is one run, as old as its newest part.
    """

    older_than: timedelta | None = None
    keep: int | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A selected run. `why` says which rule selected it, `kept` why it is kept all the same (empty where it goes)."""

    run: IndexedRun
    why: str
    kept: str = ""


def why_kept(run: IndexedRun, store: sql.Engine, now: datetime, *, even_damaged: bool = False) -> str:
    """Why a run must be neither removed nor compressed, empty where it may be. Nothing else decides this.

    A journal with damaged lines is kept, since somebody may be able to repair them; `even_damaged` lets it go. Raises
    StoreError where the store cannot be read.
    """
    if run.pinned:
        return "pinned"
    if run.folder is None:
        return _why_without_folder(run)
    if is_run_held(run.folder):
        return "it still goes on, or another run goes on from it"
    if run.journal is None:
        return _why_without_journal(run, now)
    return _why_unstored(run, run.journal, store, even_damaged=even_damaged)


def _why_without_folder(run: IndexedRun) -> str:
    """The same for a run that the store alone has."""
    if run.status != RUNNING:
        return ""
    if run.run_id == run.group:
        return f"it has no end in the store: rack-recipes finish {run.run_id}"
    return "the store has no end of it, and its folder is not here"


def _why_without_journal(run: IndexedRun, now: datetime) -> str:
    """The same for a run without a journal here. Where the store has the run, its folder was only made for a report."""
    if run.status:
        return "the store has no end of it, and its journal is not here" if run.status == RUNNING else ""
    may_be_starting = run.started > utc_text(now - STARTING)
    return "it has no journal yet, and may be starting" if may_be_starting else ""


def _why_unstored(run: IndexedRun, journal: Path, store: sql.Engine, *, even_damaged: bool) -> str:
    importing = JournalImport(store, journal)
    try:
        behind = importing.is_behind()
    except JournalError as error:
        return f"its journal cannot be read: {error}"
    if behind:
        return f"its results are not all in the store: rack-recipes flush {run.run_id}"
    if run.status == RUNNING:
        return f"it has no end in the store: rack-recipes flush {run.run_id}"
    if not importing.damaged or even_damaged:
        return ""
    names = f"rack-recipes flush {run.run_id} names them, prune --damaged lets it go"
    return f"its journal has damaged lines ({len(importing.damaged)}): {names}"


def select(
    runs: Sequence[IndexedRun], rules: PruneRules, protected: Why, now: datetime | None = None
) -> Iterator[Choice]:
    """The runs that the rules select among `runs`, which are sorted from the oldest to the newest.

    `protected` says why a selected run is kept; it is called for no other run. All parts of a group go together, or
    none of them does. A folder in which no run has begun counts neither for the number of runs nor for their size.
    """
    wholes = _wholes(runs)
    newer, total = sum(map(_has_begun, wholes)), sum(map(_counted_size, wholes))
    for parts in wholes:
        newer -= _has_begun(parts)
        if why := _why_selected(parts, newer, total, rules, now or datetime.now(UTC)):
            choices = _choices(parts, why, protected)
            total -= 0 if choices[0].kept else _counted_size(parts)
            yield from choices


def _wholes(runs: Sequence[IndexedRun]) -> list[list[IndexedRun]]:
    """The runs, those of a group together. A whole is as old as its newest part in which a run has begun."""
    found: dict[str, list[IndexedRun]] = {}
    newest: dict[str, int] = {}
    for place, run in enumerate(runs):
        found.setdefault(run.whole, []).append(run)
        if run.has_begun or run.whole not in newest:
            newest[run.whole] = place
    return sorted(found.values(), key=lambda parts: newest[parts[0].whole])


def _has_begun(parts: Sequence[IndexedRun]) -> bool:
    return any(run.has_begun for run in parts)


def _counted_size(parts: Sequence[IndexedRun]) -> int:
    return sum(run.size for run in parts if run.has_begun)


def _choices(parts: Sequence[IndexedRun], why: str, protected: Why) -> list[Choice]:
    """The parts of a whole, all of which are kept where one of them is."""
    kept = {run.run_id: protected(run) for run in parts}
    first = next((run_id for run_id, reason in kept.items() if reason), "")
    others = f"{first} of its group is kept: {kept[first]}" if first else ""
    return [Choice(run, why, kept[run.run_id] or others) for run in parts]


def _why_selected(parts: Sequence[IndexedRun], newer: int, total: int, rules: PruneRules, now: datetime) -> str:
    """Which rule selects a whole, empty for none. `newer` counts newer ones, `total` is the size of all in bytes."""
    started = max(run.started for run in parts)
    if rules.older_than is not None and started and started < utc_text(now - rules.older_than):
        return f"started {started[:19].replace('T', ' ')} UTC"
    if rules.keep is not None and newer >= rules.keep:
        return f"{newer} {'is' if newer == 1 else 'are'} newer"
    if rules.max_size is not None and _counted_size(parts) and total > rules.max_size:
        return "the folders are too large"
    return ""


def to_compress(runs: Sequence[IndexedRun], protected: Why) -> Iterator[Choice]:
    """The runs whose journal is not compressed yet. `protected` says why one is kept as it is."""
    for run in runs:
        if run.journal is not None and not is_compressed(run.journal):
            yield Choice(run, "its journal is plain", protected(run))


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


def remove_rows(store: sql.Engine, runs: Sequence[IndexedRun], on_progress: Callable[[int], None]) -> int:
    """Delete all rows of these runs from the store, except those of pinned ones. Returns the number of runs deleted.

    `on_progress` is called after each transaction with the number of runs deleted so far. Raises StoreError; what was
    deleted before stays deleted.
    """
    return _change_rows(_delete, store, runs, on_progress)


def _change_rows(
    change: Callable[[sql.Engine, Sequence[str]], int],
    store: sql.Engine,
    runs: Sequence[IndexedRun],
    on_progress: Callable[[int], None],
) -> int:
    done = 0
    for batch in _batches(runs):
        with translate_errors(store.url):
            done += call_patiently(partial(change, store, batch), PATIENCE)
        on_progress(done)
    return done


TAKEN_OUT = "(taken out by rack-recipes prune --logs)"
"""What the store has in place of the output of a step."""


def with_logs(store: sql.Engine) -> set[str]:
    """The runs of whose steps the store has the output. Raises StoreError."""
    table = tables().steps
    query = sql.select(table.c.run_id).where(sql.or_(*map(_is_log, _outputs()))).distinct()
    return {row["run_id"] for row in read(store, query, {})}


def remove_logs(store: sql.Engine, runs: Sequence[IndexedRun], on_progress: Callable[[int], None]) -> int:
    """Take what the steps of these runs wrote out of the store, as `remove_rows` takes all; their results stay."""
    return _change_rows(_take_out, store, runs, on_progress)


def _take_out(store: sql.Engine, run_ids: Sequence[str]) -> int:
    """Replace the output of the last tries, which has columns of its own, and of those before, which is in a text."""
    runs, steps = tables().runs, tables().steps
    chosen = sql.select(runs.c.run_id).where(runs.c.run_id.in_(run_ids), runs.c.pinned.is_not(True))
    with store.begin() as connection:
        ids = [*connection.scalars(chosen)]
        for column in _outputs():
            connection.execute(
                sql.update(steps).where(steps.c.run_id.in_(ids), _is_log(column)).values({column: TAKEN_OUT})
            )
        told = sql.or_(*(steps.c.attempts.contains(f'"{name}"') for name in OUTPUTS))
        key = (*steps.primary_key,)
        for *place, attempts in connection.execute(
            sql.select(*key, steps.c.attempts).where(steps.c.run_id.in_(ids), told)
        ).all():
            left = [{name: part for name, part in one.items() if name not in OUTPUTS} for one in json.loads(attempts)]
            where = [column == value for column, value in zip(key, place, strict=True)]
            connection.execute(sql.update(steps).where(*where).values(attempts=json_text(left)))
    return len(ids)


def _outputs() -> list[sql.Column[str]]:
    return [tables().steps.c[name] for name in OUTPUTS]


def _is_log(column: sql.Column[str]) -> sql.ColumnElement[bool]:
    return column.is_not(None) & column.not_in(["", TAKEN_OUT])


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


def _delete(store: sql.Engine, run_ids: Sequence[str]) -> int:
    """Delete rows of the table `runs`; the database deletes the rows of other tables with them."""
    runs = tables().runs
    with store.begin() as connection:
        chosen = runs.c.run_id.in_(run_ids), runs.c.pinned.is_not(True)
        return connection.execute(sql.delete(runs).where(*chosen)).rowcount


def vacuum(store: sql.Engine) -> int:
    """Give the space of deleted rows in a SQLite file back to the disk. Returns the number of bytes.

    Nobody can write to the store meanwhile, and it needs as much free space as the file has. Raises StoreError, also
    for other databases.
    """
    if store.dialect.name != "sqlite":
        raise StoreError(
            f"{url_without_password(store.url)}: only a SQLite store has to be vacuumed, a server uses the room again"
        )
    path = Path(str(store.url.database))
    before = _size(path)
    raw = store.raw_connection()
    try:  # SQLite refuses VACUUM in a transaction, and SQLAlchemy would begin one
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            raw.cursor().execute(statement)
    except sqlite3.Error as error:
        raise StoreError(f"{url_without_password(store.url)}: {error}") from error
    finally:
        raw.close()
    return before - _size(path)


def _size(path: Path) -> int:
    """The size of a SQLite file and of its write-ahead log, in bytes."""
    parts = (path, path.with_name(f"{path.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())
