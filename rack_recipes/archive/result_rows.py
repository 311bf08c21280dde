# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a run, for a pack: from the store, or from the journal. Both give the same rows."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Self

import sqlalchemy as sql

from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import json_text
from rack_recipes.private_files import FOLDER_MODE
from rack_recipes.report.writers.csv import harmless
from rack_recipes.store.database.database_kind import reading_connection
from rack_recipes.store.database.databases_and_errors import translate_errors
from rack_recipes.store.schema.tables import COLUMNS, JSON_KINDS, tables
from rack_recipes.store.writing.fold_journal import Batch, JournalFold
from rack_recipes.store.writing.record_to_rows import Row

BATCH_SIZE = 2_000  # rows between two writes
# Columns whose text is JSON.
JSON: Mapping[str, frozenset[str]] = {
    table: frozenset(column.name for column in columns if column.kind in JSON_KINDS)
    for table, columns in COLUMNS.items()
}
Write = Callable[[sql.Table, Sequence[Row]], None]


class ResultWriter:
    """Writes the rows of each table to `<table>.jsonl` as objects, and to `<table>.csv` for spreadsheets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._opened: dict[str, tuple[IO[str], Any]] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=FOLDER_MODE)
        for table in tables().metadata.tables.values():
            lines = self._open(f"{table.name}.jsonl", "utf-8")
            sheet = csv.writer(self._open(f"{table.name}.csv", "utf-8-sig"), lineterminator="\r\n")
            sheet.writerow(_columns(table))
            self._opened[table.name] = lines, sheet
        return self

    def __exit__(self, *_error: object) -> None:
        self._files.close()

    def _open(self, name: str, encoding: str) -> IO[str]:
        return self._files.enter_context((self._folder / name).open("x", encoding=encoding, newline=""))

    def write(self, table: sql.Table, rows: Sequence[Row]) -> None:
        """Write rows whose values are in the order of the table's columns."""
        lines, sheet = self._opened[table.name]
        wanted = _columns(table)
        for row in rows:
            kept = _kept(table, row, wanted)
            sheet.writerow([harmless(_cell(value)) for value in kept.values()])
            lines.write(f"{json_text({name: _value(table.name, name, value) for name, value in kept.items()})}\n")


def _kept(table: sql.Table, row: Row, wanted: Iterable[str]) -> dict[str, Any]:
    named = dict(zip(table.columns.keys(), row, strict=True))
    return {name: named[name] for name in wanted}


def same_results(store: sql.Engine, journal: Path, run_id: str, until: int) -> bool:
    """Whether the store has just those results of a run that its journal makes up to the byte `until`.

    Raises StoreError, JournalError.
    """
    of_journal = partial(from_journal, journal, run_id, until=until)
    return _digests(partial(from_store, store, run_id)) == _digests(of_journal)


def _digests(fill: Callable[[Write], object]) -> dict[str, str]:
    """The SHA-256 of the rows of each table that a journal makes."""
    found = {name: sha256() for name in ("runs", "context", "steps", "measurements", "conflicts", "artifacts", "hosts")}

    def add(table: sql.Table, rows: Sequence[Row]) -> None:
        if digest := found.get(table.name):
            wanted = [name for name in _columns(table) if name != "group_info"]  # the group changes it
            for row in rows:
                digest.update(f"{json_text(_kept(table, row, wanted))}\n".encode(errors="surrogatepass"))

    fill(add)
    return {name: digest.hexdigest() for name, digest in found.items()}


def _columns(table: sql.Table) -> list[str]:
    return ["run_id", *(column.name for column in COLUMNS[table.name] if column.is_packed)]


def _value(table: str, column: str, value: Any) -> Any:
    return json.loads(value) if value is not None and column in JSON[table] else value


def _cell(value: object) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def from_store(store: sql.Engine, run_id: str, write: Write) -> bool:
    """Pass the rows that the store has of a run to `write`. Returns whether it has any. Raises StoreError."""
    with translate_errors(store.url), reading_connection(store) as connection:
        streaming = connection.execution_options(yield_per=BATCH_SIZE)
        found = False
        for table in tables().metadata.tables.values():
            query = sql.select(table).where(table.c.run_id == run_id).order_by(*table.primary_key)
            for rows in streaming.execute(query).partitions():
                write(table, [tuple(row) for row in rows])
                found = True
    return found


def from_journal(journal: Path, run_id: str, write: Write, until: int = sys.maxsize) -> None:
    """Pass the rows that a journal makes, up to the byte `until`, to `write`. Raises JournalError."""
    fold, batch, follower = JournalFold(run_id), Batch(), JournalReader(journal)
    for line in follower.read(until):
        if line.record:
            fold.add(line.record, batch)
        if len(batch.context) >= BATCH_SIZE:
            _drain(batch, write)
    _drain(batch, write)
    write(tables().runs, [fold.run_row(str(journal), follower.offset)])
    for table, rows in batch.tables():
        key = [table.columns.keys().index(column.name) for column in table.primary_key]
        write(table, sorted(rows, key=lambda row, key=key: [row[place] for place in key]))  # type: ignore[misc]


def _drain(batch: Batch, write: Write) -> None:
    """Write the changes of keys, which come in the order of their numbers and may be too many for memory."""
    for table, rows in ((tables().context, batch.context), (tables().conflicts, batch.conflicts)):
        write(table, rows)
        rows.clear()


def status_of(results: Path) -> Mapping[str, Any]:
    """The row of the table `runs` in a folder of results; empty where there is none."""
    text = (results / "runs.jsonl").read_text(encoding="utf-8")
    found: Mapping[str, Any] = json.loads(text) if text else {}
    return found


def table_rows(results: Path, table: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a table in a folder of results."""
    with (results / f"{table}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
