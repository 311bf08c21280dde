# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens: how they are made and recognized, what their holders were given, and the file of them.

The file is JSON that only its owner can read. A running server sees each change at the next request.

A token is `rrt_IDENT_SECRET`. The file keeps SHA-256 of the secret alone. A slow hash would protect secrets that people
choose; this one has 256 random bits, which nobody can try out, and a fast hash keeps requests fast. IDENT finds the
row, so only one digest is compared, in a time that does not depend on what differs.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.server.access.caller import ANY, ROLES

VALID, EXPIRED, REVOKED = "valid", "expired", "revoked"


@dataclass(frozen=True, slots=True)
class Grant:
    """One row of the file of tokens.

    `ident` is the part of a token that is no secret, `digest` the SHA-256 of the rest. `certificate` is the name of a
    client certificate, where there is no token. Times are ISO 8601 in UTC; `expires` is empty if it never does.
    """

    name: str
    role: str
    ident: str
    digest: str = ""
    certificate: str = ""
    keys: tuple[str, ...] = ANY
    runs: tuple[str, ...] = ANY
    made: str = ""
    expires: str = ""
    revoked: str = ""

    @property
    def state(self) -> str:
        """VALID, EXPIRED or REVOKED, at this moment."""
        if self.revoked:
            return REVOKED
        is_over = self.expires and datetime.fromisoformat(self.expires) <= datetime.now(UTC)
        return EXPIRED if is_over else VALID


def to_row(grant: Grant) -> dict[str, Any]:
    """A grant as a JSON object; empty fields are left out."""
    row = {field.name: getattr(grant, field.name) for field in fields(Grant)}
    return {name: [*value] if isinstance(value, tuple) else value for name, value in row.items() if value}


def from_row(row: Mapping[str, object]) -> Grant:
    """The grant of a JSON object. Raises ValueError, KeyError or TypeError for one that cannot be read."""
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    grant = Grant(**given)
    if grant.role not in ROLES:
        raise ValueError(f"there is no role {grant.role!r}")
    for moment in filter(None, (grant.expires, grant.revoked)):
        if datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError(f"{moment} has no time zone")
    return grant


PREFIX = "rrt"  # for tools that search texts for secrets
SECRET_BYTES, IDENT_BYTES = 32, 8
TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})")
NOTHING = "0" * 64  # what the secret of an unknown token is compared with


def new_token() -> tuple[str, str, str]:
    """A new token: its whole text, its part that is no secret, and the digest of its secret."""
    ident, secret = secrets.token_hex(IDENT_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    return f"{PREFIX}_{ident}_{secret}", ident, digest_of(secret)


def digest_of(secret: str) -> str:
    """SHA-256 of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def grant_of(text: str, grants: Mapping[str, Grant]) -> Grant | None:
    """The valid grant of a token, None for a token that is foreign, mangled, expired or revoked."""
    found = TOKEN.fullmatch(text)
    ident, secret = found.groups() if found else ("", "")
    grant = grants.get(ident)
    is_right = hmac.compare_digest(digest_of(secret), (grant and grant.digest) or NOTHING)
    return grant if grant and is_right and grant.state == VALID else None


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
