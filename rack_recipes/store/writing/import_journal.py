# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring what is new in a run's journal into the store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from operator import ge
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.errors import JournalError, StoreError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.step_results_and_end_status import EXIT_CODES
from rack_recipes.store.database.database_kind import reading_connection
from rack_recipes.store.database.databases_and_errors import call_patiently, met_known_row, translate_errors
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.fold_journal import Batch, JournalFold, Tally
from rack_recipes.store.writing.record_to_rows import Row, name
from rack_recipes.store.writing.write_rows import forget_measurements, refuse_too_big, write_rows

MAY_EXIST = frozenset({"artifacts", "hosts"})  # tables whose rows a later record may write again


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may get, and for how many seconds a write is tried again after a passing fault."""

    records: int = 20_000
    size: int = 8 * 2**20  # bytes of journal
    patience: float = 30.0


class Imported(NamedTuple):
    """What an import did: the rows that it wrote, and the byte up to which the journal is stored now.

    `set_aside` counts all lines of the journal without a record, torn ones too. `damaged` are the numbers of those that
    were altered or come from elsewhere.
    """

    run_id: str
    offset: int
    rows: int
    set_aside: int
    damaged: tuple[int, ...] = ()


def import_journal(
    engine: sql.Engine, journal: str | os.PathLike[str], limits: BatchLimits = BatchLimits()
) -> Imported:
    """Bring everything new in the journal into the store. Raises StoreError or JournalError.

    It is written in batches. Each batch is one transaction, which also notes how far the journal is stored. So an
    import may be killed at any moment and called again.
    """
    return JournalImport(engine, journal, limits).catch_up()


def is_behind(engine: sql.Engine, journal: str | os.PathLike[str]) -> bool:
    """Whether the journal has something that the store lacks; nothing is written.

    Raises StoreError or JournalError.
    """
    return JournalImport(engine, journal).is_behind()


class Sealed(NamedTuple):
    """A run that the store has and that would be replaced: when it began and ended, and how many rows it has."""

    began: str | None = None
    ended: str | None = None
    held: Tally | None = None


class JournalImport:
    """Follows one journal for as long as its run lasts; what was read is remembered from one call to the next."""

    def __init__(
        self, engine: sql.Engine, journal: str | os.PathLike[str], limits: BatchLimits = BatchLimits()
    ) -> None:
        self._engine = engine
        self._journal = Path(journal).absolute()
        self._limits = limits
        self._patience = limits.patience
        self._reader = JournalReader(self._journal)
        self._fold: JournalFold | None = None
        self._batch = Batch()
        self._stored = 0
        self._sealed = Sealed()
        self._joined = -1  # the offset at which the group was made anew
        self._are_new = True  # false once a row was in the store already

    def catch_up(self, patience: float | None = None) -> Imported:
        """Store what the journal gained. It may be called again after a StoreError: nothing is lost or stored twice.

        `patience`, in seconds, replaces that of the limits for this call.
        """
        self._patience = self._limits.patience if patience is None else patience
        try:
            with translate_errors(self._engine.url):
                return self._catch_up()
        except StoreError as error:
            raise type(error)(f"{error}; the results are safe in {self._journal}") from None
        except BaseException:  # it may have been stopped after reading a record and before adding it
            self._fold = None
            raise

    def is_behind(self) -> bool:
        """Whether there is something to store."""
        with translate_errors(self._engine.url):
            call_patiently(self._resume, self._patience)
        return next(self._reader.read(), None) is not None

    @property
    def damaged(self) -> tuple[int, ...]:
        """The numbers of the damaged lines in the part of the journal that was read."""
        return tuple(self._reader.damaged)

    def _catch_up(self) -> Imported:
        if self._fold is None:
            self._fold = call_patiently(self._resume, self._patience)
            if self._sealed.ended:
                self._refuse_other_run(self._fold.run_id, self._sealed)
        fold = self._fold
        rows = self._flush(fold)  # what an earlier call failed to write
        for line in self._reader.read():
            if line.record:
                fold.add(line.record, self._batch)
            if self._is_full():
                rows += self._flush(fold)
        rows += self._flush(fold)
        self._join(fold)
        if not self._reader.offset:
            self._fold = None  # the journal will name its run
        return Imported(fold.run_id, self._stored, rows, self._reader.set_aside, self.damaged)

    def _join(self, fold: JournalFold) -> None:
        """Make the run of the group anew where this is a part that has begun or ended."""
        if not fold.group_id or self._joined == self._stored or (self._joined >= 0 and not fold.has_ended):
            return
        # a run of its own does not pay for this import
        from rack_recipes.store.writing.write_group_run import join_parts

        join_parts(self._engine, fold.group_id, patience=self._patience)
        self._joined = self._stored

    def _resume(self) -> JournalFold:
        """Read the part of the journal that is stored already. Start anew if the store lacks some of it."""
        run_id = name(run_of(self._journal)) or ""
        self._stored, held, began, ended = stored(self._engine, run_id)
        self._reader, self._batch, fold = JournalReader(self._journal), Batch(), JournalFold(run_id)
        for line in self._reader.read(until=self._stored):
            if line.record:
                fold.add(line.record)
        is_held = self._reader.offset == self._stored and self._is_held(fold, held)
        is_same = is_held and (fold.ended == ended or self.damaged)
        self._sealed = Sealed() if is_same else Sealed(began, ended, held)
        if is_held:
            return fold
        self._reader, self._stored = JournalReader(self._journal), 0
        return JournalFold(run_id)

    def _is_held(self, fold: JournalFold, held: Tally) -> bool:
        """Whether the store has all rows of the journal.

        It may have more where the journal was damaged since.
        """
        return held == fold.tally() or (bool(self.damaged) and all(map(ge, held, fold.tally())))

    def _refuse_other_run(self, run_id: str, sealed: Sealed) -> None:
        """Raise JournalError where the store has another run of this id that has ended.

        Servers that share a context write an end of their own each, behind the same changes; nothing is judged there.
        """
        whole, batch, times = JournalFold(run_id), Batch(), []
        for record in JournalReader(self._journal).records():
            whole.add(record, batch)
            times += [(record["kind"], name(record["time"]))] if record["kind"] in ("run", "end") else []
        begun = next((time for kind, time in times if kind == "run"), sealed.began)
        is_context = whole.tally() == sealed.held and not whole.tally().steps
        is_same = ("end", sealed.ended) in times and not _says_otherwise(self._engine, whole, batch)
        if begun != sealed.began or not (is_context or is_same):
            raise JournalError(
                f"{self._journal}: the store has a run of this id that began at {sealed.began} and ended at "
                f"{sealed.ended}, which is not what this journal says: a finished run is never written over. Find out "
                "which of the two is right"
            )

    def _is_full(self) -> bool:
        waiting = self._reader.offset - self._stored
        return self._batch.records >= self._limits.records or waiting >= self._limits.size

    def _flush(self, fold: JournalFold) -> int:
        """Write the batch and the offset in the journal in one transaction; returns the number of rows."""
        offset = self._reader.offset
        if offset == self._stored:
            return 0
        waiting = [(tables().runs, [fold.run_row(str(self._journal), offset)]), *self._batch.tables()]
        batch = [(table, rows) for table, rows in waiting if rows]
        call_patiently(lambda: self._write(fold.run_id, batch), self._patience)
        self._stored, self._batch = offset, Batch()
        return sum(len(rows) for _table, rows in batch)

    def _write(self, run_id: str, batch: list[tuple[sql.Table, list[Row]]]) -> None:
        """Write the rows as new ones, which is faster. Once one existed already, write all of them as updates."""
        try:
            self._write_once(run_id, batch)
        except sql.exc.DBAPIError as error:
            if not (self._are_new and met_known_row(error)):
                refuse_too_big(self._engine, error, batch)
                raise
            self._are_new = False
            self._write_once(run_id, batch)

    def _write_once(self, run_id: str, batch: list[tuple[sql.Table, list[Row]]]) -> None:
        """The run's row is written first: its lock makes other writers of the same run wait."""
        with self._engine.begin() as connection:
            for table, rows in batch[:1]:
                write_rows(connection, table, rows)
            forget_measurements(connection, run_id, self._batch.again)
            for table, rows in batch[1:]:
                may_exist = table.name in MAY_EXIST or (table is tables().steps and self._batch.again)
                write_rows(connection, table, rows, are_new=self._are_new and not may_exist)


def _says_otherwise(engine: sql.Engine, whole: JournalFold, batch: Batch) -> bool:
    """Whether a journal has another status of its run, or another verdict of a step, than the store has.

    A damaged store, which has what is no status or no verdict, gets them back.
    """
    runs, steps = tables().runs, tables().steps
    named = (dict(zip(steps.columns.keys(), row, strict=True)) for row in batch.steps.values())
    told = {(row["step"], row["host"]): row["verdict"] for row in named}
    with reading_connection(engine) as connection:
        wanted = sql.select(steps.c.step, steps.c.host, steps.c.verdict).where(steps.c.run_id == whole.run_id)
        held = {(step, host): verdict for step, host, verdict in connection.execute(wanted)}
        status = connection.scalar(sql.select(runs.c.status).where(runs.c.run_id == whole.run_id))
    return (status in EXIT_CODES and status != whole.status) or any(
        verdict in VERDICTS and told.get(place, verdict) != verdict for place, verdict in held.items()
    )


def run_of(journal: Path) -> str:
    """The id of the journal's run: that of its first `run` record, or else the name of its folder."""
    return next((record["run"] for record in JournalReader(journal).records("run")), journal.parent.name)


def stored(engine: sql.Engine, run_id: str) -> tuple[int, Tally, str | None, str | None]:
    """The byte up to which a run's journal is stored, how many rows of the run there are, when it began and ended."""
    known = tables()
    counts = [
        sql.select(sql.func.count()).select_from(table).where(table.c.run_id == run_id).scalar_subquery()
        for table in (known.context, known.steps, known.measurements, known.conflicts, known.artifacts)  # as in Tally
    ]
    of_run = [
        sql.select(known.runs.c[column]).where(known.runs.c.run_id == run_id).scalar_subquery()
        for column in ("journal_offset", "started", "ended")
    ]
    with reading_connection(engine) as connection:  # one statement, since others may write meanwhile
        place, began, ended, *held = connection.execute(sql.select(*of_run, *counts)).one()
        return place or 0, Tally(*held), began, ended
