# SPDX-License-Identifier: GPL-3.0-or-later

"""Append records to a journal.

All records of a call go out in one write. So the records of several writers never mix, and a writer that is killed
leaves at most one unfinished record.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from rack_recipes.errors import JournalError
from rack_recipes.journal.compressed_journal import compressed_path
from rack_recipes.journal.record_fields import Record, encode
from rack_recipes.private_files import FILE_MODE, make_private

Target = str | os.PathLike[str] | int
Wait = Callable[[float], object]

APPENDING = os.O_WRONLY | os.O_APPEND
PAUSE = 0.5  # seconds between two attempts


class ShortWriteError(JournalError):
    """Only the first `safe` records reached the file; the others must be appended again."""

    def __init__(self, where: str, why: str, safe: int, records: int) -> None:
        super().__init__(where, why, safe, records)  # all in args: it pickles
        self.safe = safe

    def __str__(self) -> str:
        where, why, safe, records = self.args
        return f"{where}: {why}; {safe} of {records} records are safe, free some space and append the rest again"


def append(target: Target, records: Iterable[Record], *, sync: bool = False) -> int:
    """Append the records to a journal; returns the number of bytes written.

    `target` is the path of the journal, or a file descriptor that is open for appending. A missing file is made, with
    its missing folders, for its owner alone. With `sync` the records are on the disk when this returns. Without it
    they survive a crash of this process, but not one of the machine. Raises JournalError where the file cannot be
    opened or something is not a record; nothing is written then. Raises ShortWriteError where only some of the records
    reached the file.
    """
    lines = [encode(record) for record in records]
    try:
        with _opened(target) as descriptor:
            _write(target, descriptor, lines)
            if sync:
                os.fdatasync(descriptor)
    except OSError as error:
        raise JournalError(f"{_name(target)}: {error.strerror}") from error
    return sum(map(len, lines))


def append_patiently(target: Target, records: Iterable[Record], patience: float, wait: Wait = time.sleep) -> None:
    """Append the records; where they cannot be written, as on a full disk, try again for `patience` seconds.

    Each record is written once, however many attempts it takes. `wait` is called with the seconds between two attempts;
    it sleeps, or raises an exception to give up early.
    Raises JournalError as `append` does.
    """
    rest = list(records)
    until = time.monotonic() + patience
    while True:
        try:
            append(target, rest)
        except JournalError as error:
            is_passing = isinstance(error, ShortWriteError) or isinstance(error.__cause__, OSError)
            if not is_passing or time.monotonic() >= until:
                raise
            rest = rest[error.safe :] if isinstance(error, ShortWriteError) else rest
            wait(PAUSE)
        else:
            return


@contextmanager
def _opened(target: Target) -> Iterator[int]:
    if isinstance(target, int):
        yield target
        return
    try:
        descriptor = os.open(target, APPENDING)
    except FileNotFoundError:
        descriptor = _made(Path(target))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _made(path: Path) -> int:
    """Make a new journal. Raises JournalError beside a compressed one: the new file would hide its records."""
    if compressed_path(path).exists():
        raise JournalError(f"{path}: its run is over and the journal compressed, nothing can be added to it")
    make_private(path.parent)
    return os.open(path, APPENDING | os.O_CREAT, FILE_MODE)


def append_lines(descriptor: int, lines: Sequence[bytes]) -> tuple[int, int]:
    """Append encoded records with one write. Returns how many bytes and how many whole records it wrote.

    The rest of a short write is not written here: others may have written meanwhile. A record that lacks its last
    newline is whole: nothing can be taken back, and the newline before the next record ends it. Raises OSError.
    """
    ends = accumulate(map(len, lines))
    written = os.write(descriptor, b"".join(lines))
    return written, sum(end - 1 <= written for end in ends)


def _write(target: Target, descriptor: int, lines: list[bytes]) -> None:
    try:
        written, safe = append_lines(descriptor, lines)
    except OSError as error:
        raise ShortWriteError(_name(target), str(error.strerror), 0, len(lines)) from error
    if safe != len(lines):
        size = sum(map(len, lines))
        raise ShortWriteError(_name(target), f"only {written} of {size} bytes written", safe, len(lines))


def _name(target: Target) -> str:
    return f"file descriptor {target}" if isinstance(target, int) else os.fspath(target)
