# SPDX-License-Identifier: GPL-3.0-or-later

"""Group commit: all writes that wait go into the journal together.

Each is answered once it is there, and those who wait for changes are told.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress

from rack_recipes.errors import JournalError
from rack_recipes.server.live.key_operations import WriteRequest
from rack_recipes.server.live.live_context import LiveContext, Outcome, Written
from rack_recipes.server.live.turns import SLICE
from rack_recipes.server.problems import Problem


class Listeners:
    """Wakes those who wait. A listener only remembers how far it has read, so a slow one holds up nobody."""

    def __init__(self, live: LiveContext) -> None:
        self._live = live
        self._told = live.index.last
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order in which they came
        self.is_closed = False

    def tell(self) -> None:
        """Wake those who wait, if there are new changes."""
        if self._live.index.last > self._told:
            self._told = self._live.index.last
            self._wake()

    def close(self) -> None:
        """Wake all for the last time: the server ends."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        woken, self._waiting = self._waiting, {}
        for waiter in woken:
            _wake(waiter)

    @property
    def told(self) -> int:
        """The number of the last change that may be shown."""
        return self._told

    async def wait_beyond(self, seq: int, seconds: float) -> bool:
        """Wait for a change with a higher number, at most for some seconds; returns whether there is one."""
        if self._told > seq or self.is_closed:
            return self._told > seq
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, waiter)  # asyncio.wait_for takes a third of an event
        self._waiting[waiter] = None
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiting.pop(waiter, None)
        return self._told > seq

    async def wait_for[T](self, holds: Callable[[], T | None], seconds: float) -> T | None:
        """Wait until `holds` returns something; None if it does not in time."""
        until = asyncio.get_running_loop().time() + seconds
        while (found := holds()) is None and not self.is_closed:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            await self.wait_beyond(self._told, left)
        return found


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


MOST_AT_ONCE = 1000  # requests of one write
PAUSE = 0.1  # seconds between two looks for what other processes have appended
Waiting = tuple[WriteRequest, "asyncio.Future[Written]"]


class GroupCommit:
    """Writes what waits, tells who listens. With `fsync` nothing is told or read before it is on the disk."""

    def __init__(self, live: LiveContext, listeners: Listeners, *, fsync: bool) -> None:
        self._live = live
        self._listeners = listeners
        self._fsync = fsync
        self._waiting: list[Waiting] = []
        self._at_work: asyncio.Task[None] | None = None
        self._syncing: asyncio.Future[None] | None = None
        self._is_planned = False
        self._broken: Problem | None = None

    async def write(self, request: WriteRequest) -> Written:
        """Write, and wait until it is in the journal. Raises Problem."""
        if self._broken:
            raise self._broken
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Written] = loop.create_future()
        self._waiting.append((request, future))
        if self._fsync:
            self._at_work = self._at_work or loop.create_task(self._work())
        elif not self._is_planned:
            self._is_planned = True
            loop.call_soon(self._write_soon)
        return await future

    async def refresh(self) -> None:
        """Know all that was acknowledged by now: what other processes append is known soon, not at once."""

    async def settle(self) -> None:
        """Wait until all that could be read by now is on the disk. Raises Problem where it cannot be brought there.

        Without `fsync` there is nothing to wait for.
        """
        if self._syncing:
            await asyncio.shield(self._syncing)
        if self._broken:
            raise self._broken

    async def follow(self) -> None:
        """Fold what other processes append, for as long as the server runs."""
        while True:
            await asyncio.sleep(PAUSE)
            if not self._syncing:
                with suppress(JournalError):  # the next write is refused for it, and says so
                    while not self._live.catch_up(SLICE):
                        self._listeners.tell()
                        await asyncio.sleep(0)
                self._listeners.tell()

    def _write_soon(self) -> None:
        """Write all that waits at this moment, once what others have appended is known."""
        if not self._is_up_to_date():
            asyncio.get_running_loop().call_soon(self._write_soon)
            return
        self._is_planned = False
        batch, again = self._commit()
        answer_all(batch)
        self._listeners.tell()
        self._plan_again(again)

    def _is_up_to_date(self) -> bool:
        """Read a slice of what others have appended; returns whether there is no more."""
        with suppress(JournalError):  # the write is refused for it, and says so
            return self._live.catch_up(SLICE)
        return True

    def _plan_again(self, again: list[Waiting]) -> None:
        self._waiting[:0] = again
        if self._waiting and not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._write_soon)

    async def _work(self) -> None:
        """Write and sync, as long as something waits. Writes that come during a sync are written together after it."""
        try:
            while self._waiting:
                while not self._is_up_to_date():  # noqa: ASYNC110 - it works itself, a slice at a time
                    await asyncio.sleep(0)
                self._syncing = asyncio.get_running_loop().create_future()
                batch, again = self._commit()
                self._broken = self._broken or await self._synced()
                self._syncing.set_result(None)
                self._syncing = None
                answer_all([(future, self._broken or outcome) for future, outcome in batch])
                self._waiting[:0] = again
        finally:
            self._at_work = None

    async def _synced(self) -> Problem | None:
        """Sync, and tell who listens; the problem where that failed."""
        try:
            await asyncio.to_thread(self._live.sync)
        except OSError as error:
            return _unsynced(error)
        self._listeners.tell()
        return None

    def _commit(self) -> tuple[list[tuple[asyncio.Future[Written], Written | Problem]], list[Waiting]]:
        """Write a batch: the outcome for each future, and the requests that must be tried again."""
        batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        outcomes = self._outcomes([request for request, _future in batch])
        pairs = [*zip(batch, outcomes, strict=True)]
        done = [(future, outcome) for (_request, future), outcome in pairs if outcome is not None]
        return done, [waiting for waiting, outcome in pairs if outcome is None]

    def _outcomes(self, requests: list[WriteRequest]) -> list[Outcome]:
        if self._broken:
            return [self._broken] * len(requests)
        try:
            return self._live.commit(requests)
        except JournalError as error:
            return [Problem("cannot-write", str(error), "see to the journal, then start the server again")] * len(
                requests
            )
        except Exception:
            sys.stderr.write(traceback.format_exc())
            return [Problem("internal", "the write met a fault of the server", "report it, with what it logged")] * len(
                requests
            )


def answer_all(outcomes: Iterable[tuple[asyncio.Future[Written], Written | Problem]]) -> None:
    """Give each waiting request its outcome."""
    for future, outcome in outcomes:
        if future.done():  # its client is gone
            continue
        if isinstance(outcome, Problem):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _unsynced(error: OSError) -> Problem:
    """After a failed sync nobody can tell what the disk has, and a second one may wrongly succeed."""
    return Problem(
        "cannot-write",
        f"what was written last may not be on the disk: {error.strerror}",
        "see to the server's disk, then start the server again: it reads back what the disk has",
    )
