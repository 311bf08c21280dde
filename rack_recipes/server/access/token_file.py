# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of tokens: JSON that only its owner can read. A running server sees each change at the next request."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.server.access.grant_model import VALID, Grant, from_row, to_row
from rack_recipes.server.access.tokens import grant_of

NAME = "server/tokens.json"  # beside the folder of runs
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def tokens_path(runs: str) -> Path:
    """Where the tokens of a project are, by its folder of runs."""
    return Path(runs).parent / NAME


def read_grants(path: Path) -> tuple[Grant, ...]:
    """All grants, none where there is no file. Raises UsageError for a file that others can read, or that is broken."""
    try:
        with path.open("rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            return tuple(map(from_row, json.load(file)["grants"]))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: is no file of tokens: {error}: put back a copy, or remove it and make new tokens"
        ) from error


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (os.getuid(), 0):
        raise UsageError(f"{path} belongs to another user: give --tokens with a file of yours")
    if found.st_mode & OTHERS:
        raise UsageError(f"{path} can be read or written by other users: chmod 600 {path}")


@contextmanager
def changed_grants(path: Path) -> Iterator[list[Grant]]:
    """The grants, to be changed in the block and written at its end; one process at a time. Raises UsageError."""
    make_private(path.parent)
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        grants = [*read_grants(path)]
        yield grants
        _write(path, grants)
    finally:
        os.close(lock)


def _write(path: Path, grants: Iterable[Grant]) -> None:
    """Replace the file as a whole, so that no reader ever sees a part of it."""
    made = path.with_name(f"{path.name}.new")
    text = json.dumps({"grants": [*map(to_row, grants)]}, indent=1)
    made.unlink(missing_ok=True)
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "w") as file:  # noqa: PTH123
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)


class LiveGrants:
    """The grants as they are now: the file is looked at for each question, and read again when it has changed.

    `tell` gets a sentence where the file cannot be used; then nobody has a grant.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell
        self._seen: tuple[int, ...] | None = None
        self._by_ident: Mapping[str, Grant] = {}
        self._by_certificate: Mapping[str, Grant] = {}

    def of_token(self, text: str) -> Grant | None:
        """The valid grant of a token."""
        self._refresh()
        return grant_of(text, self._by_ident)

    def of_certificate(self, names: Iterable[str]) -> Grant | None:
        """The valid grant of a client certificate with these names."""
        self._refresh()
        found = (self._by_certificate.get(name) for name in names)
        return next((grant for grant in found if grant and grant.state == VALID), None)

    def is_valid(self, grant: Grant) -> bool:
        """Whether a grant that was valid still is."""
        self._refresh()
        now = self._by_ident.get(grant.ident)
        return now == grant and grant.state == VALID

    def _refresh(self) -> None:
        seen = _identity(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        self._by_ident, self._by_certificate = {}, {}
        try:
            grants = read_grants(self._path)
        except UsageError as error:
            self._tell(f"no token is valid: {error}")
            return
        self._by_ident = {grant.ident: grant for grant in grants}
        self._by_certificate = {one.certificate: one for one in grants if one.certificate and not one.revoked}


def _identity(path: Path) -> tuple[int, ...]:
    """What changes when a file does."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode, found.st_uid


def with_state(grant: Grant) -> dict[str, Any]:
    """A grant as a person is shown it: without the digest."""
    row = to_row(grant)
    row.pop("digest", None)
    return {**row, "state": grant.state}
