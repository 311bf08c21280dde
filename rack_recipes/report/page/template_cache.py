# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep our compiled templates in the user's own cache folder: compiling them takes a quarter of a small report's time.

What is read from there runs as code. So the folder and its files must belong to the user who runs this, and nobody else
may write to them. Where that is not so, or the folder cannot be made, the templates are compiled each time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp

from jinja2 import BytecodeCache
from jinja2 import __version__ as jinja_version
from jinja2.bccache import Bucket

from rack_recipes.private_files import make_private
from rack_recipes.version import VERSION

FOLDER = "rack-recipes/templates"
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe must not hold up the report


class TemplateCache(BytecodeCache):
    """Compiled templates in a folder; Jinja compares each with the source of its template and its own version."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when something is written into it."""
        self.folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, where there is a file that can be trusted."""
        with suppress(OSError):
            if _is_own(os.lstat(self.folder), stat.S_ISDIR):
                with os.fdopen(os.open(self._path(bucket), FLAGS), "rb") as file:
                    if _is_own(os.fstat(file.fileno()), stat.S_ISREG):
                        bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the file as a whole, or not at all."""
        with suppress(OSError):
            make_private(self.folder)
            if _is_own(os.lstat(self.folder), stat.S_ISDIR):
                self._write(bucket)

    def _write(self, bucket: Bucket) -> None:
        number, name = mkstemp(dir=self.folder)
        try:
            with os.fdopen(number, "wb") as file:
                bucket.write_bytecode(file)
            Path(name).replace(self._path(bucket))
        except BaseException:
            Path(name).unlink()
            raise

    def _path(self, bucket: Bucket) -> Path:
        """A name for each template and each version of all that has a say in how it is compiled."""
        return self.folder / sha256(f"{bucket.key} {VERSION} {jinja_version}".encode()).hexdigest()


def user_cache() -> TemplateCache | None:
    """The cache in the user's cache folder (XDG Base Directory Specification 0.8); None where there is no such."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    with suppress(RuntimeError):  # no home
        base = named if named.is_absolute() else Path.home() / ".cache"
        return TemplateCache(base / FOLDER) if base.is_absolute() else None
    return None


def _is_own(found: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Whether something is of a kind, belongs to this user, and nobody else may write to it."""
    return is_kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & WRITABLE
