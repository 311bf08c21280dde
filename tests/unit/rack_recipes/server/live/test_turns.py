# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from time import perf_counter

import pytest

from rack_recipes.server.live.turns import MOST, MOST_OF_ONE, SLICE, Turns
from rack_recipes.server.problems import Problem


def busy(until: float) -> str:
    """Work that takes the whole slice."""
    while perf_counter() < until:
        pass
    return "done"


def test_all_together_take_one_slice_each_round():
    rounds = 0

    async def count() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    async def run() -> list[str]:
        turns, counting = Turns(), asyncio.create_task(count())
        done = [await each for each in [asyncio.create_task(turns.take(busy)) for _each in range(5)]]
        counting.cancel()
        return done

    began = perf_counter()
    assert asyncio.run(run()) == ["done"] * 5
    assert rounds >= 5
    assert perf_counter() - began >= 5 * SLICE


def test_who_has_left_gets_no_turn_and_what_fails_concerns_nobody_else():
    done: list[str] = []

    async def run() -> None:
        turns = Turns()
        tasks = [
            asyncio.create_task(turns.take(work))
            for work in (lambda _until: done.append("left"), lambda _until: 1 / 0, lambda _until: done.append("there"))
        ]
        await asyncio.sleep(0)
        tasks[0].cancel()
        with pytest.raises(ZeroDivisionError):
            await tasks[1]
        await tasks[2]

    asyncio.run(run())
    assert done == ["there"]


def test_a_caller_and_all_together_get_so_many_long_answers():
    turns = Turns()
    with ExitStack() as sent:
        for _each in range(MOST_OF_ONE):
            turns.check_room("zoe")
            sent.enter_context(turns.sending("zoe"))
        with pytest.raises(Problem) as raised:
            turns.check_room("zoe")
        assert (raised.value.kind, raised.value.headers) == ("too-many", {"retry-after": "2"})
        for number in range(MOST - MOST_OF_ONE):
            turns.check_room("amy")
            sent.enter_context(turns.sending(f"client{number}"))
        with pytest.raises(Problem, match="too-many"):
            turns.check_room("amy")
    turns.check_room("zoe")
