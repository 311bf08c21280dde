# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a finished run, compressed to `journal.jsonl.gz`. It can be read, but not written to.

Callers always give the path of the plain file. Where both files exist, the plain one counts. At every moment one of
them is whole.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO, cast

from rack_recipes.errors import JournalError
from rack_recipes.private_files import FILE_MODE, sync_folder

SUFFIX = ".gz"
CHUNK = 2**20  # bytes
LEVEL = 6
UNREADABLE = (OSError, EOFError, zlib.error)  # what reading a journal may raise, plain or compressed


def compressed_path(path: Path) -> Path:
    """The path of the compressed file for the journal at `path`."""
    return path.with_name(path.name + SUFFIX)


def journal_exists(path: Path) -> bool:
    """Whether there is a journal, plain or compressed."""
    return path.exists() or compressed_path(path).exists()


def is_compressed(path: Path) -> bool:
    """Whether only the compressed file exists."""
    return not path.exists() and compressed_path(path).exists()


def open_journal(path: Path) -> BinaryIO:
    """Open the journal for reading its plain bytes. Raises one of `UNREADABLE` where it cannot be read."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        if not compressed_path(path).exists():
            raise
    import gzip  # only those who read a compressed journal pay for this import

    return cast("BinaryIO", BufferedReader(gzip.open(compressed_path(path), "rb"), CHUNK))


def unreadable_reason(error: BaseException) -> str:
    """Why a journal cannot be read, in words; `error` is one of `UNREADABLE`."""
    return getattr(error, "strerror", None) or f"damaged: {error}"


def compress_journal(path: Path) -> int:
    """Replace a journal that nobody writes to by a compressed file; returns how many bytes that saves.

    The plain file is removed only after the compressed one is on the disk and was read back. Raises JournalError where
    that fails or somebody wrote to the journal meanwhile; the plain file is untouched then.
    """
    with raise_if_unreadable(path), path.open("rb") as plain:
        status = os.fstat(plain.fileno())
        digest = _write(
            compressed_path(path), lambda target: _compress(plain, target), (status.st_atime, status.st_mtime)
        )
        size = plain.tell()
        _verify(path, digest)
        _refuse_growth(path, plain, size)
        path.unlink()
        _refuse_growth(path, plain, size)
        sync_folder(path.parent)
        return size - compressed_path(path).stat().st_size


def restore_journal(path: Path) -> None:
    """Unpack the journal, if only the compressed file exists, so that it can be written to. Raises JournalError."""
    if not is_compressed(path):
        return
    with raise_if_unreadable(path):
        with open_journal(path) as source:
            _write(path, lambda target: shutil.copyfileobj(source, target, CHUNK), None)
        compressed_path(path).unlink()


@contextmanager
def raise_if_unreadable(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a journal during the block into a JournalError that names it."""
    try:
        yield
    except UNREADABLE as error:
        raise JournalError(f"{path}: {unreadable_reason(error)}") from error


def _write[T](path: Path, fill: Callable[[IO[bytes]], T], times: tuple[float, float] | None) -> T:
    """Write a file so that it is on the disk as a whole or not at all; returns what `fill` returns."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as target:  # noqa: PTH123
            filled = fill(target)
            target.flush()
            os.fsync(target.fileno())
        if times:
            os.utime(partial, times)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return filled


def _compress(plain: IO[bytes], target: IO[bytes]) -> str:
    """Compress `plain` into `target`; returns the digest of what was read. The same input gives the same output."""
    import gzip

    digest = sha256()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=target, mtime=0) as packed:
        while data := plain.read(CHUNK):
            digest.update(data)
            packed.write(data)
    return digest.hexdigest()


def _verify(path: Path, digest: str) -> None:
    import gzip

    found = sha256()
    try:
        with gzip.open(compressed_path(path), "rb") as packed:
            while data := packed.read(CHUNK):
                found.update(data)
    except UNREADABLE as error:
        found.update(str(error).encode())
    if found.hexdigest() != digest:
        compressed_path(path).unlink()
        raise JournalError(f"{path}: compressed it does not read back as it was, and stays as it is")


def _refuse_growth(path: Path, plain: IO[bytes], size: int) -> None:
    """Raise JournalError where the plain file grew while it was compressed; it is kept, or restored, in that case."""
    if os.fstat(plain.fileno()).st_size == size:
        return
    if not path.exists():
        plain.seek(0)
        _write(path, lambda target: shutil.copyfileobj(plain, target, CHUNK), None)
    compressed_path(path).unlink()
    raise JournalError(f"{path}: it was written to while it was compressed, and stays as it is")
