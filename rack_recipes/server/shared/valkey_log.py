# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log that several servers share, as a stream of a Valkey server.

The id of an entry is its number from 1, and behind the dash a digest of the entry and of all before it. Whoever knows
the id of an entry so knows the whole log up to there, and a server notices if Valkey has lost what it acknowledged.
https://valkey.io/topics/streams-intro/
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from rack_recipes.errors import UsageError
from rack_recipes.run.processes import MADE
from rack_recipes.server.shared.shared_commit import LostRecordsError, SharedLogError

if TYPE_CHECKING:
    import valkey

PREFIX = "rack_recipes"
CURRENT = f"{PREFIX}:run"  # the key with the id of the run whose context is served
FIELD = "record"
BEFORE_ALL = "0-0"
PATIENCE = 5.0  # seconds for one answer
SCHEMES = ("valkey", "valkeys", "unix", "redis", "rediss")
URL_OPTIONS = ("db", "username", "password", "client_name")  # behind the ? of an address
OWN_OPTIONS = {  # what an address may not change
    "socket_timeout": PATIENCE,
    "socket_connect_timeout": PATIENCE,
    "retry_on_timeout": False,
    "decode_responses": False,
    "protocol": 2,
}
MOST_AT_ONCE = 1000  # entries of one answer
DIGITS = 13  # hexadecimal, of a digest: Lua's numbers hold them exactly

APPEND = f"""
local key, known = KEYS[1], ARGV[1]
local found = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
local last = found[1] and found[1][1] or '{BEFORE_ALL}'
if last ~= known then
  if known ~= '{BEFORE_ALL}' and #redis.call('XRANGE', key, known, known) == 0 then return {{'lost', last}} end
  return {{'behind', redis.call('XRANGE', key, '(' .. known, '+', 'COUNT', {MOST_AT_ONCE})}}
end
local number, digest = known:match('(%d+)-(%d+)')
for i = 2, #ARGV do
  number = string.format('%.0f', number + 1)
  digest = string.format('%.0f', tonumber(redis.sha1hex(digest .. ARGV[i]):sub(1, {DIGITS}), 16))
  redis.call('XADD', key, number .. '-' .. digest, '{FIELD}', ARGV[i])
end
return {{'appended', number .. '-' .. digest}}
"""
"""Append entries if the last one is the one that the caller knows; otherwise return those that it does not know."""


def connect(url: str) -> valkey.Valkey:
    """A client of the Valkey server at `valkey://`, `valkeys://` (TLS) or `unix://`. Raises UsageError."""
    try:
        import valkey
    except ImportError as error:
        raise UsageError(f"Valkey needs a package: {error}: `pip install 'rack-recipes[valkey]'` brings it") from error
    _check_address(url)
    try:
        client = valkey.Valkey.from_url(url)
        client.connection_pool.connection_kwargs.update(OWN_OPTIONS)
        client.ping()
    except (ValueError, TypeError) as error:
        raise UsageError(f"{place_of(url)} is no address of a Valkey server: {error}") from None
    except (valkey.ValkeyError, OSError) as error:
        raise UsageError(f"Valkey at {place_of(url)} does not answer: {error}") from error
    return client


def _check_address(url: str) -> None:
    """Raise UsageError for an address that is none. What the client says of one could show a part of its password."""
    try:
        parts = urlsplit(url)
        given, _port = parse_qsl(parts.query, keep_blank_values=True), parts.port
    except ValueError:
        wrong = "its host or port cannot be read; in a user and a password write %2F for /, %40 for @ and %3A for :"
        raise UsageError(f"{place_of(url)} is no address of a Valkey server: {wrong}") from None
    wrong = ""
    if parts.scheme not in SCHEMES:
        wrong = f"it has to begin with {', '.join(f'{scheme}://' for scheme in SCHEMES[:3])}"
    elif parts.scheme != "unix" and not parts.path.strip("/").isdecimal() and parts.path.strip("/"):
        wrong = f"behind the host there is the number of a database, such as /0, and not {parts.path[:80]}"
    elif parts.scheme == "unix" and not parts.path:
        wrong = "the path of the socket is missing: unix:///PATH"
    for name, _value in given:
        if name not in URL_OPTIONS and not name.startswith("ssl_"):
            wrong = wrong or f"there is no option {name[:80]!r}, there are {', '.join(URL_OPTIONS)} and those of ssl_"
    if wrong:
        raise UsageError(f"{place_of(url)} is no address of a Valkey server: {wrong}")


def place_of(url: str) -> str:
    """The address without user, password and options."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if "://" in url and parts.netloc + parts.path:
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"[:200]
    return "the value of --valkey or of the setting `valkey`" if "@" in url or not url else repr(url[:80])


def check_durability(client: valkey.Valkey, *, always: bool) -> str:
    """What may be lost if Valkey itself crashes, as a warning; empty if nothing. Raises UsageError if that is too much.

    With `always` each acknowledged write must be on Valkey's disk.
    """
    import valkey

    try:
        found: Any = client.config_get("append*")
    except valkey.ValkeyError as error:
        if always:
            raise UsageError(
                f"Valkey does not tell how it keeps data, so --durability fsync cannot hold: {error}"
            ) from error
        return f"Valkey does not tell how it keeps data ({error}): a write that was acknowledged may not survive it"
    if found.get("appendonly") != "yes":
        raise UsageError(
            "Valkey keeps nothing when it ends: set `appendonly yes` (valkey-cli config set appendonly yes)"
        )
    if found.get("appendfsync") == "always":
        return ""
    if always:
        raise UsageError("--durability fsync needs `appendfsync always` (valkey-cli config set appendfsync always)")
    return "Valkey may lose the last seconds of acknowledged writes if it crashes: `appendfsync always` keeps them"


def current_run(client: valkey.Valkey, proposed: str, *, new: bool) -> str:
    """The id of the run that all servers serve; `proposed` if there is none, or if it is to be a new one."""
    import valkey

    try:
        client.set(CURRENT, proposed, nx=not new)
        found: Any = client.get(CURRENT)
    except valkey.ValkeyError as error:
        raise UsageError(f"Valkey does not answer: {error}") from error
    run_id = str(found.decode(errors="backslashreplace"))
    if not MADE.fullmatch(run_id):  # it becomes the name of a folder
        raise UsageError(f"Valkey's key {CURRENT} is no id of a run: {run_id[:80]!r}; --new begins another context")
    return run_id


class ValkeyLog:
    """The log of one run, seen by a server that has a copy of its first entries, `lines`."""

    def __init__(self, client: valkey.Valkey, run_id: str, lines: Iterable[bytes]) -> None:
        self._client = client
        self._key = f"{PREFIX}:{run_id}:journal"
        self._script: Any = client.register_script(APPEND)
        self._last = position(lines)

    def begin(self, line: bytes) -> None:
        """Append the first record of the log, where it has none; the copy gets it later. Raises SharedLogError."""
        with _told():
            self._script(keys=[self._key], args=[BEFORE_ALL, line])

    def append(self, lines: Sequence[bytes]) -> list[bytes] | None:
        """Append records behind the last one of the copy: see SharedLog."""
        with _told():
            word, found = self._script(keys=[self._key], args=[self._last, *lines])
        if word == b"appended":
            self._last = found.decode()
            return None
        if word == b"lost":
            raise LostRecordsError(
                f"Valkey has lost records: its log ends at {found.decode()}, this server has seen {self._last}"
            )
        self._last = found[-1][0].decode()
        return [fields[1] for _id, fields in found]

    def wait(self, seconds: float) -> bool:
        """Whether the copy lacks records: see SharedLog."""
        with _told():
            return bool(self._client.xread({self._key: self._last}, count=1, block=int(seconds * 1000)))


def position(lines: Iterable[bytes]) -> str:
    """The id of the last of these entries, the first ones of a log."""
    number, digest = 0, "0"
    for line in lines:
        number += 1
        digest = str(int(hashlib.sha1(digest.encode() + line, usedforsecurity=False).hexdigest()[:DIGITS], 16))
    return f"{number}-{digest}"


@contextmanager
def _told() -> Iterator[None]:
    import valkey

    try:
        yield
    except valkey.ValkeyError as error:
        raise SharedLogError(f"Valkey does not answer: {error}") from error
