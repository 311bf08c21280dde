# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that brings a run's journal into the store.

At an interval, when it is asked, unasked as its own rules say, and at the end.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.errors import JournalError, RackError, StoreError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import has_ended
from rack_recipes.run.processes import END, NOW, OK, from_request

LOOK = 0.5  # seconds between two looks at how much the journal has grown
LONGEST_PAUSE = 30.0  # seconds between two flushes into a store that is away, unless the interval is longer
DELTA = b'"kind":"delta"'


class FlushPolicy:
    """Flush every `interval` seconds, and as soon as `deltas` changes of the context wait in the journal.

    After a failure the pause between two flushes doubles, up to `LONGEST_PAUSE`: each attempt takes time from the
    stages.
    """

    def __init__(self, journal: str, interval: float, deltas: int) -> None:
        self._interval = interval
        self._most_deltas = deltas
        self._waiting = DeltaCounter(journal)
        self._pause = interval
        self._succeeded = True
        self._due = time.monotonic() + interval

    def pause(self) -> float:
        """The seconds after which to ask again whether a flush is due."""
        return max(0.0, min(self._due - time.monotonic(), LOOK))

    def is_due(self) -> bool:
        """Whether to flush now."""
        return time.monotonic() >= self._due or (self._succeeded and self._waiting.count() >= self._most_deltas)

    def flushed(self, *, succeeded: bool) -> None:
        """Plan the next flush after one that succeeded or failed."""
        self._succeeded = succeeded
        self._pause = self._interval if succeeded else max(self._interval, min(self._pause * 2, LONGEST_PAUSE))
        self._due = time.monotonic() + self._pause
        self._waiting.reset()


class DeltaCounter:
    """Counts the deltas that a journal gained. It searches the new lines for a text, which is cheaper than to parse."""

    def __init__(self, journal: str) -> None:
        self._journal = Path(journal)
        self._offset = 0
        self._count = 0

    def count(self) -> int:
        """The deltas since the last `reset`."""
        if self._size() > self._offset:
            with self._journal.open("rb") as lines:
                lines.seek(self._offset)
                for line in lines:
                    if not line.endswith(b"\n"):  # still being written
                        break
                    self._offset += len(line)
                    self._count += DELTA in line
        return self._count

    def reset(self) -> None:
        """Start to count again.

        Deltas that were written during the flush may not be counted; the next flush of the interval stores them.
        """
        self._offset, self._count = self._size(), 0

    def _size(self) -> int:
        try:
            return self._journal.stat().st_size
        except FileNotFoundError:
            return 0


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
        from rack_recipes.store.database_engine import connect_store
        from rack_recipes.store.writing.import_journal import JournalImport

        return connect_store, JournalImport


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
        if not has_ended(journal):
            append(journal, [{"kind": "end", "time": now(), "status": "interrupted", "exit_code": 1, "counts": {}}])
