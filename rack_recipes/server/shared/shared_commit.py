# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write into a log that several servers share.

Each server keeps a copy of the log: its journal. It drafts records by what its copy says, and appends them only if
nobody else has appended since; otherwise it reads what is new, and drafts again. So the log has one order of all
writes, and each was decided on all that came before it. Before it answers a read it makes sure that its copy is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from rack_recipes.errors import JournalError, UsageError
from rack_recipes.journal.record_fields import encode
from rack_recipes.server.live.group_commit import MOST_AT_ONCE, PAUSE, Waiting, answer_all
from rack_recipes.server.live.listeners import Listeners
from rack_recipes.server.live.live_context import LiveContext, Written
from rack_recipes.server.problems import Problem
from rack_recipes.server.writes.key_operations import WriteRequest

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
