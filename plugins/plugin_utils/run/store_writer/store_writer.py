# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that follows a run's journal into the store: at its pace, when asked, and at the end."""

from __future__ import annotations

import gc
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError, RackError, StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.reader import JournalReader
from ansible_collections.rack.recipes.plugins.plugin_utils.run.store_writer.flush_policy import FlushPolicy

NICE = 5
NOW, END = b"now", b"end"
CALM = 2.0  # seconds for which a flush that nobody waits for puts up with a store that is away


def main() -> None:
    """Serve a word a line on stdin: `flush` and `end`, answered by `ok` or by what went wrong, and `now`.

    Behind `flush:` and `end:` may stand for how many seconds a fault that may pass is waited out. The first line is the
    URL of the store: arguments, and what is in the environment, others may see.
    """
    journal, interval, deltas, patience = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    store = StoreWriter(journal, _first_line(), patience)
    with lasting():
        store.prepare()
    pace = FlushPolicy(journal, interval, deltas)
    while True:
        if select.select([0], [], [], pace.pause())[0]:
            words = os.read(0, 4096).split()
            if not words:
                abandoned(journal)
            last, wait = _parsed(words[-1]) if words else (END, None)
            problem = store.flush(wait)
            sys.stdout.write(f"{problem or 'ok'}\n" * (len(words) - words.count(NOW)))
            sys.stdout.flush()
            if last == END:
                raise SystemExit(StoreError.exit_code if problem else 0)
            pace.flushed(well=not problem)
        elif pace.is_due():
            pace.flushed(well=not store.flush(min(CALM, patience)))


def _parsed(word: bytes) -> tuple[bytes, float | None]:
    """A word, and the patience that stands behind it."""
    name, _colon, seconds = word.partition(b":")
    return name, float(seconds) if seconds else None


@contextmanager
def lasting() -> Iterator[None]:
    """What is made in here stays: no search for garbage goes through it, not even that at the process's end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _first_line() -> str:
    """The first line on stdin, and no byte of what is behind it."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line.decode().strip()


class StoreWriter:
    """The database, opened at the first flush and again after a failure."""

    def __init__(self, journal: str, url: str, patience: float) -> None:
        self._journal = journal
        self._url = url
        self._patience = patience
        self._engine: Any = None
        self._following: Any = None

    def flush(self, patience: float | None = None) -> str:
        """Bring what is new into the store; returns what went wrong, empty for nothing.

        `patience` are the seconds for which a fault that may pass is waited out, by default those of the last flush.
        """
        wait = self._patience if patience is None else patience
        try:
            self._following = self._following or self._open(wait)
            self._following.catch_up(wait)
        except RackError as error:
            self.close()
            text = " ".join(str(error).split())
            _log(text)
            return text
        return ""

    def prepare(self) -> None:
        """Import what is slow to import (0.2 s) while the stages run, and let them go first."""
        os.nice(NICE)
        from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import tables

        with suppress(StoreError):  # the first flush says what is missing
            tables()
        self._parts()

    def close(self) -> None:
        """Let the database go; the next flush opens it again."""
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._following = None

    def _open(self, patience: float) -> Any:
        engine, following = self._parts()
        self._engine = engine(self._url, patience)
        return following(self._engine, self._journal)

    def _parts(self) -> tuple[Any, Any]:
        from ansible_collections.rack.recipes.plugins.plugin_utils.store.database_engine import engine
        from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.import_journal import JournalImport

        return engine, JournalImport


def _log(text: str) -> None:
    """Where the log cannot be written, as on a full disk, the recorder is told all the same."""
    with suppress(OSError):
        os.write(2, f"{now()} {text}\n".encode(errors="backslashreplace"))


def abandoned(journal: str | os.PathLike[str]) -> None:
    """The run's process is gone; without an end the run was interrupted."""
    with suppress(JournalError):  # on a full disk; what is there is stored for all that
        kinds = {line.record["kind"] for line in JournalReader(journal).read() if line.record}
        if "end" not in kinds:
            append(journal, [{"kind": "end", "time": now(), "status": "interrupted", "exit_code": 1, "counts": {}}])
