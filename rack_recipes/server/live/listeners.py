# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who waits for changes: those that follow all of them, and those that wait for one key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rack_recipes.server.live.live_context import LiveContext


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
