# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that brings a run's journal into the store: at an interval, when it is asked, and at the end."""

from __future__ import annotations

import gc
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.errors import JournalError, RackError, StoreError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.store_requests import END, NOW, OK, from_request
from rack_recipes.run.store_writer.flush_policy import FlushPolicy

NICE = 5  # how far the stages go first
UNASKED_PATIENCE = 2.0  # seconds for which a flush that nobody waits for tries a store that is away


def main() -> None:
    """Serve requests until the one to end (see `store_requests`), or until stdin is closed.

    The arguments are the journal's path, the seconds between two flushes, the changes of the context after which it
    flushes earlier, and the seconds for which a fault of the store that may pass is waited out. The first line on stdin
    is the URL of the store: other users could read an argument, and what is in the environment.
    """
    journal, interval, deltas, patience = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    writer = StoreWriter(journal, _first_line(), patience)
    with uncollected():
        writer.import_early()
    policy = FlushPolicy(journal, interval, deltas)
    while True:
        if select.select([0], [], [], policy.pause())[0]:
            requests = os.read(0, 4096).split()
            if not requests:
                end_abandoned_run(journal)
            last, seconds = from_request(requests[-1]) if requests else (END, None)
            problem = writer.flush(seconds)
            sys.stdout.write(f"{problem or OK}\n" * (len(requests) - requests.count(NOW)))
            sys.stdout.flush()
            if last == END:
                raise SystemExit(StoreError.exit_code if problem else 0)
            policy.flushed(succeeded=not problem)
        elif policy.is_due():
            policy.flushed(succeeded=not writer.flush(min(UNASKED_PATIENCE, patience)))


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep what is made in here out of every later search for garbage, also of the one when the process ends."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _first_line() -> str:
    """The first line on stdin; no byte behind it is read."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line.decode().strip()


class StoreWriter:
    """Brings one journal into one database, which it opens at the first flush and again after a failure."""

    def __init__(self, journal: str, url: str, patience: float) -> None:
        self._journal = journal
        self._url = url
        self._patience = patience
        self._engine: Any = None
        self._import: Any = None

    def flush(self, patience: float | None = None) -> str:
        """Bring what is new into the store; returns what went wrong, an empty text for nothing.

        A fault that may pass is waited out for `patience` seconds, by default for those that the writer was made with.
        """
        wait = self._patience if patience is None else patience
        try:
            self._import = self._import or self._open(wait)
            self._import.catch_up(wait)
        except RackError as error:
            self.close()
            text = " ".join(str(error).split())
            _log(text)
            return text
        return ""

    def import_early(self) -> None:
        """Import what is slow to import (0.2 s) while the stages run, with a lower priority than theirs."""
        os.nice(NICE)
        from rack_recipes.store.schema.tables import tables

        with suppress(StoreError):  # the first flush says what is missing
            tables()
        self._imported()

    def close(self) -> None:
        """Disconnect from the database; the next flush opens it again."""
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._import = None

    def _open(self, patience: float) -> Any:
        engine, journal_import = self._imported()
        self._engine = engine(self._url, patience)
        return journal_import(self._engine, self._journal)

    def _imported(self) -> tuple[Any, Any]:
        from rack_recipes.store.database_engine import engine
        from rack_recipes.store.writing.import_journal import JournalImport

        return engine, JournalImport


def flush_once(journal: str, url: str, patience: float) -> str:
    """Bring what a journal has by now into the store, in any process; returns what went wrong, empty for nothing.

    The store writer may do the same at the same time. A fault that may pass is waited out for `patience` seconds.
    """
    writer = StoreWriter(journal, url, patience)
    try:
        return writer.flush()
    finally:
        writer.close()


def _log(text: str) -> None:
    with suppress(OSError):  # on a full disk; the recorder hears of it all the same
        os.write(2, f"{now()} {text}\n".encode(errors="backslashreplace"))


def end_abandoned_run(journal: str | os.PathLike[str]) -> None:
    """Record that a run was interrupted, whose process is gone and has written no end."""
    with suppress(JournalError):  # on a full disk; what the journal has is stored all the same
        kinds = {line.record["kind"] for line in JournalReader(journal).read() if line.record}
        if "end" not in kinds:
            append(journal, [{"kind": "end", "time": now(), "status": "interrupted", "exit_code": 1, "counts": {}}])
