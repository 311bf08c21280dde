# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a run that is over as `journal.jsonl.gz`: read under its plain name, written to no more.

Of the two files the plain one counts while it is there; at every moment one of them is whole.
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

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError
from ansible_collections.rack.recipes.plugins.plugin_utils.private_files import FILE_MODE

SUFFIX = ".gz"
CHUNK = 2**20  # bytes
LEVEL = 6
UNREADABLE = (OSError, EOFError, zlib.error)  # what reading either form may raise


def compressed(path: Path) -> Path:
    """The compressed form's file of the journal at `path`."""
    return path.with_name(path.name + SUFFIX)


def exists(path: Path) -> bool:
    """Whether there is a journal, in either form."""
    return path.exists() or compressed(path).exists()


def is_compressed(path: Path) -> bool:
    """Whether only the compressed form is there."""
    return not path.exists() and compressed(path).exists()


def opened(path: Path) -> BinaryIO:
    """The journal's bytes, whichever form it has; one of `UNREADABLE` is raised where it cannot be read."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        if not compressed(path).exists():
            raise
    import gzip  # who reads no compressed journal does without

    return cast("BinaryIO", BufferedReader(gzip.open(compressed(path), "rb"), CHUNK))


def reason(error: BaseException) -> str:
    """Why a journal cannot be read, for one of `UNREADABLE`."""
    return getattr(error, "strerror", None) or f"damaged: {error}"


def compress(path: Path) -> int:
    """Replace a journal that nobody writes to by its compressed form; returns how many bytes that saves.

    The plain file goes when the other one is on the disk and was read back. Raises JournalError, the plain file
    untouched, also where somebody wrote to it meanwhile.
    """
    with _translated(path), path.open("rb") as plain:
        status = os.fstat(plain.fileno())
        digest = _write(compressed(path), lambda target: _compress(plain, target), (status.st_atime, status.st_mtime))
        size = plain.tell()
        _verify(path, digest)
        _refuse_growth(path, plain, size)
        path.unlink()
        _refuse_growth(path, plain, size)
        _sync_folder(path.parent)
        return size - compressed(path).stat().st_size


def restore(path: Path) -> None:
    """Bring back the plain form, if only the compressed one is there, so that it can be written to. JournalError."""
    if not is_compressed(path):
        return
    with _translated(path):
        with opened(path) as source:
            _write(path, lambda target: shutil.copyfileobj(source, target, CHUNK), None)
        compressed(path).unlink()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise JournalError(f"{path}: {reason(error)}") from error


def _write[T](path: Path, fill: Callable[[IO[bytes]], T], times: tuple[float, float] | None) -> T:
    """Make a file whole, on the disk, or not at all."""
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
    _sync_folder(path.parent)
    return filled


def _compress(plain: IO[bytes], target: IO[bytes]) -> str:
    """Compress the one into the other; returns the digest of what was read. The same bytes give the same bytes."""
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
        with gzip.open(compressed(path), "rb") as packed:
            while data := packed.read(CHUNK):
                found.update(data)
    except UNREADABLE as error:
        found.update(str(error).encode())
    if found.hexdigest() != digest:
        compressed(path).unlink()
        raise JournalError(f"{path}: compressed it does not read back as it was, and stays as it is")


def _refuse_growth(path: Path, plain: IO[bytes], size: int) -> None:
    """Keep the plain form, or bring it back, where it has more than was compressed."""
    if os.fstat(plain.fileno()).st_size == size:
        return
    if not path.exists():
        plain.seek(0)
        _write(path, lambda target: shutil.copyfileobj(plain, target, CHUNK), None)
    compressed(path).unlink()
    raise JournalError(f"{path}: it was written to while it was compressed, and stays as it is")


def _sync_folder(folder: Path) -> None:
    """A name that was given or taken is on the disk only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
