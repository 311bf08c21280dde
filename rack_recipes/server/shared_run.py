# SPDX-License-Identifier: GPL-3.0-or-later

"""A run whose context several servers share.

Writes into the common log, a stream of a Valkey server, and this server's copy of the journal.

Each server keeps a copy of the log: its journal. It drafts records by what its copy says, and appends them only if
nobody else has appended since; otherwise it reads what is new, and drafts again. So the log has one order of all
writes, and each was decided on all that came before it. Before it answers a read it makes sure that its copy is whole.

The id of an entry is its number from 1, and behind the dash a digest of the entry and of all before it. Whoever knows
the id of an entry so knows the whole log up to there, and a server notices if Valkey has lost what it acknowledged.
https://valkey.io/topics/streams-intro/
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.context.merge_policies import hook_of
from rack_recipes.errors import JournalError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import has_ended
from rack_recipes.journal.record_fields import decode, encode
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.run.processes import MADE, new_run_id
from rack_recipes.run.run_folders import hold_run_until_exit
from rack_recipes.server.live.group_commit import MOST_AT_ONCE, PAUSE, Listeners, Waiting, answer_all
from rack_recipes.server.live.key_operations import WriteRequest
from rack_recipes.server.live.live_context import LiveContext, Written
from rack_recipes.server.open_served_run import SHARED, ServedRun, first_record
from rack_recipes.server.problems import Problem
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    import valkey
AGAIN = "served_again"  # the field of a copy's run record that its server has written, and not the log
LOOK = 1.0  # seconds that one look for new records takes at most


class SharedLogError(Exception):
    """The log did not answer; its text is the reason. What was appended meanwhile may be there, or not."""


class LostRecordsError(SharedLogError):
    """The log has not got any more what it acknowledged."""


class SharedLog(Protocol):
    """A log as a server sees it that has a copy up to some record. Its methods block."""

    def append(self, lines: Sequence[bytes]) -> list[bytes] | None:
        """Append records behind the last one of the copy; None if that is done.

        Otherwise nothing was appended: the copy lacks the records that are returned, and perhaps more. Without lines
        this only asks whether the copy lacks some. Raises SharedLogError.
        """

    def wait(self, seconds: float) -> bool:
        """Whether the copy lacks records, as soon as it does, at most after some seconds. Raises SharedLogError."""


def catch_up(live: LiveContext, log: SharedLog) -> None:
    """Bring a server's copy up to the log, before anything is served. Raises UsageError, JournalError."""
    try:
        while (missing := log.append([])) is not None:
            live.take(missing)
    except SharedLogError as error:
        raise UsageError(str(error)) from error


class SharedCommit:
    """Writes what waits, one exchange with the log at a time. What is read then is as new as the exchange."""

    def __init__(self, live: LiveContext, listeners: Listeners, log: SharedLog) -> None:
        self._live = live
        self._listeners = listeners
        self._log = log
        self._waiting: list[Waiting] = []
        self._readers: list[asyncio.Future[None]] = []
        self._at_work: asyncio.Task[None] | None = None
        self._broken: Problem | None = None

    async def write(self, request: WriteRequest) -> Written:
        """Write, and wait until it is in the log. Raises Problem."""
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._begin()
        return await future

    async def refresh(self) -> None:
        """Wait until the copy has all that the log had when this was called. Raises Problem."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.append(future)
        self._begin()
        await future

    async def settle(self) -> None:
        """Nothing to wait for: what can be read is in the log."""

    async def follow(self) -> None:
        """Read what other servers append, for as long as the server runs."""
        while True:
            try:
                is_behind = await asyncio.to_thread(self._log.wait, LOOK)
            except SharedLogError:  # the next request gets the reason
                await asyncio.sleep(PAUSE)
                continue
            if is_behind:
                with suppress(Problem):
                    await self.refresh()

    def _begin(self) -> None:
        if self._at_work is None:
            self._at_work = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting or self._readers:
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                readers, self._readers = self._readers, []
                try:
                    await self._exchange(batch, readers)
                except (SharedLogError, JournalError) as error:  # who came meanwhile has waited for it, too
                    self._refuse([*batch, *self._waiting], [*readers, *self._readers], error)
                    self._waiting, self._readers = [], []
        finally:
            self._at_work = None

    async def _exchange(self, batch: list[Waiting], readers: list[asyncio.Future[None]]) -> None:
        """Append what a batch needs, if the copy is whole; otherwise bring it nearer to that, and leave all waiting."""
        if self._broken:
            raise SharedLogError(self._broken.detail)
        drafted = self._live.draft([request for request, _future in batch])
        lines = [encode(record) for record in drafted.records]
        missing = await asyncio.to_thread(self._log.append, lines)
        taken = self._live.take(lines if missing is None else missing)
        self._listeners.tell()
        if missing is not None:
            self._waiting[:0] = batch
            self._readers[:0] = readers
            return
        pairs = [*zip(batch, drafted.settle(taken), strict=True)]
        self._waiting[:0] = [waiting for waiting, outcome in pairs if outcome is None]
        answer_all((future, outcome) for (_request, future), outcome in pairs if outcome is not None)
        for reader in readers:
            if not reader.done():
                reader.set_result(None)

    def _refuse(self, batch: list[Waiting], readers: list[asyncio.Future[None]], error: Exception) -> None:
        problem = self._problem(error)
        futures: list[asyncio.Future[Any]] = [*(future for _request, future in batch), *readers]
        for future in futures:
            if not future.done():
                future.set_exception(problem)

    def _problem(self, error: Exception) -> Problem:
        """Why a request fails. A copy that does not equal the log any more is no use: another server has to answer."""
        if self._broken:
            return self._broken
        advice = "ask again; a write may have been done: send it with the same Idempotency-Key, or read the key first"
        if isinstance(error, LostRecordsError | JournalError):
            advice = "ask another server, see to the reason, and start this one again"
            self._broken = Problem("cannot-write", str(error), advice)
            return self._broken
        return Problem("cannot-write", str(error), advice)


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
MOST_ENTRIES_AT_ONCE = 1000  # entries of one answer
DIGITS = 13  # hexadecimal, of a digest: Lua's numbers hold them exactly
APPEND = f"""
local key, known = KEYS[1], ARGV[1]
local found = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
local last = found[1] and found[1][1] or '{BEFORE_ALL}'
if last ~= known then
  if known ~= '{BEFORE_ALL}' and #redis.call('XRANGE', key, known, known) == 0 then return {{'lost', last}} end
  return {{'behind', redis.call('XRANGE', key, '(' .. known, '+', 'COUNT', {MOST_ENTRIES_AT_ONCE})}}
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


def open_shared_run(settings: Settings, client: valkey.Valkey, *, new: bool = False) -> tuple[ServedRun, ValkeyLog]:
    """The run that the servers at this Valkey share, with `new` another one. Raises UsageError."""
    if any(hook_of(policy) for _pattern, policy in settings.merge):
        raise UsageError("merge hooks run in one server: take them out of the setting `merge`, or serve without Valkey")
    run_id = current_run(client, new_run_id(), new=new)
    journal = Path(settings.runs) / run_id / JOURNAL
    make_private(journal.parent)
    try:
        hold_run_until_exit(journal.parent)
    except UsageError:
        raise UsageError(
            f"run {run_id} is served from this folder already: another server needs a folder of runs of its own "
            "(RACK_RECIPES_RUNS)"
        ) from None
    log = ValkeyLog(client, run_id, _copied(journal))
    first = {**first_record(run_id, settings, {}), SHARED: True}
    try:
        log.begin(encode(first))
    except SharedLogError as error:
        raise UsageError(str(error)) from error
    if has_ended(journal):
        append(journal, [{**first, AGAIN: True}])  # what comes behind it counts
    return ServedRun(run_id, journal, None), log


def _copied(journal: Path) -> Iterator[bytes]:
    """The entries that the copy has, as they stand in the log; what a killed server left unfinished is cut off.

    That this server has ended, and was started again, stands in its copy alone.
    """
    read, whole = 0, 0
    with os.fdopen(os.open(journal, os.O_RDWR | os.O_CREAT, FILE_MODE), "r+b") as copy:
        for line in copy:
            read += len(line)
            if line != b"\n" and line.endswith(b"\n"):
                whole = read
                if not _is_own(line):
                    yield b"\n" + line
        copy.truncate(whole)


def _is_own(line: bytes) -> bool:
    if b'"end"' not in line and AGAIN.encode() not in line:  # parsing each line would take long
        return False
    record = decode(line)
    return record["kind"] == "end" or (record["kind"] == "run" and AGAIN in record)
