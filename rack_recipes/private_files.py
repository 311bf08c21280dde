# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders that only their owner may read, which is all that a run leaves behind.

And how the names of files come to the disk (man 2 fsync).
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from ansible_collections.rack.recipes.plugins.module_utils import file_descriptors
from rack_recipes.errors import UsageError

OTHERS = 0o007  # the rights of those who are neither owner nor group
FILE_MODE, FOLDER_MODE = file_descriptors.FILE_MODE, file_descriptors.FOLDER_MODE


def read_secret(path: Path, what: str) -> str:
    """The line in a file that only its owner and group can read. `what` names the file's setting or option.

    Raises UsageError for a file that others can read, and for one that cannot be read.
    """
    try:
        is_open = path.stat().st_mode & OTHERS
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise UsageError(f"{what} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {path}: expected one line of ASCII characters") from error
    if is_open:
        raise UsageError(f"{what} {path}: others can read it: `chmod o= {path}`")
    return text


def make_output_private(output: IO[str]) -> None:
    """Before a token is printed: where the output goes into a file, leave that to its owner alone.

    A shell makes the file of `>` for all to read. Raises UsageError where the file stays open to others.
    """
    try:
        number = output.fileno()
    except OSError:  # it is kept in memory
        return
    if not _is_open_file(number):
        return
    path = Path(f"/proc/self/fd/{number}").readlink()
    with suppress(OSError):
        os.fchmod(number, FILE_MODE)
    if _is_open_file(number):
        raise UsageError(f"{path}: others can read it, and a token would stand in it: print it to a file of your own")
    sys.stderr.write(f"{path}: a token stands in it, so only you can read it now (mode 600)\n")


def _is_open_file(number: int) -> bool:
    mode = os.fstat(number).st_mode
    return stat.S_ISREG(mode) and bool(mode & ~FILE_MODE & 0o777)


def make_private(folder: Path) -> None:
    """Make the folder and those above it that are missing, each for its owner alone. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(FOLDER_MODE, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make sure that created, renamed and removed files of the folder are so on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_and_folders(path: Path, above: int) -> None:
    """Make sure that a file is on the disk, and so many folders above it, the nearest first. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for folder in [*path.absolute().parents][:above]:
        sync_folder(folder)


def try_lock(file: int | IO[bytes]) -> bool:
    """Lock a file for this process (man 2 flock); whether nobody else had locked it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
