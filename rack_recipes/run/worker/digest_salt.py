# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The salt of a project, with which digests of secrets are made.

It is kept apart from the results that hold these digests: with a digest alone, whoever can read the store could try out
short passwords. Controllers with different salts do not reuse each other's results of steps with secrets; copy the file
where they should.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE, make_private

SIZE = 32  # bytes
WHAT = "salt of the digests of secrets"
NAME = "salt"


def salt_beside(runs: Path) -> str:
    """The salt beside the folder of runs, in hexadecimal; it is made where it is missing.

    Raises UsageError where the file cannot be used.
    """
    path = runs.parent / NAME
    try:
        try:
            salt = _read(path)
        except FileNotFoundError:
            _make(path)
            salt = _read(path)
    except OSError as error:
        raise UsageError(f"{path} ({WHAT}): {error.strerror}") from error
    if len(salt) != SIZE:
        raise UsageError(f"{path} ({WHAT}): expected {SIZE} bytes, found {len(salt)}: remove it")
    return salt.hex()


def _read(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(file).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"{path} ({WHAT}): others can read it: chmod 600, or remove it")
        return os.read(file, SIZE + 1)
    finally:
        os.close(file)


def _make(path: Path) -> None:
    """Make the file complete and once only: several workers may begin at the same time."""
    make_private(path.parent)
    partial = path.with_name(f".{NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        os.write(file, secrets.token_bytes(SIZE))
        os.fsync(file)
        with suppress(FileExistsError):
            path.hardlink_to(partial)
    finally:
        os.close(file)
        partial.unlink()
