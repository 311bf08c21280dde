# SPDX-License-Identifier: GPL-3.0-or-later

"""Long work in slices: between two slices all others are served, however many wait for their next one."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from rack_recipes.server.problems import Problem

SLICE = 0.002  # seconds; a write goes four times round the loop, so it meets as many slices
MOST_OF_ONE, MOST = 8, 64  # long answers that are on their way to one caller, and to all; each has a piece in memory
RETRY = {"retry-after": "2"}

Work = Callable[[float], Any]
"""Does a part of some work: it ends soon after the moment that it is given, by `perf_counter`."""


class Turns:
    """Who has long work to do gets turns. All of them together take one slice each time the loop goes round."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._is_planned = False
        self._answers: Counter[str] = Counter()

    async def take(self, work: Work) -> Any:
        """Do a part of some work when it is its turn; returns what `work` returns."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        self._plan()
        return await future

    def _plan(self) -> None:
        if self._waiting and not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._is_planned = False
        until = perf_counter() + SLICE
        while self._waiting and perf_counter() < until:
            work, future = self._waiting.popleft()
            if future.done():  # its reader is gone
                continue
            try:
                future.set_result(work(until))
            except Exception as error:
                future.set_exception(error)
        self._plan()

    def check_room(self, who: str) -> None:
        """Raise Problem if this caller, or all together, are being sent as many long answers as the server has."""
        if self._answers[who] >= MOST_OF_ONE or self._answers.total() >= MOST:
            number = min(self._answers[who], MOST_OF_ONE)
            raise Problem(
                "too-many",
                f"the server is sending {self._answers.total()} long answers, {number} of them to {who}; it sends "
                f"{MOST} at once, and {MOST_OF_ONE} to one caller",
                "read one after the other, or ask for less of the context",
                headers=RETRY,
            )

    @contextmanager
    def sending(self, who: str) -> Iterator[None]:
        """A long answer is on its way during the block."""
        self._answers[who] += 1
        try:
            yield
        finally:
            self._answers[who] -= 1
            if not self._answers[who]:
                del self._answers[who]
