# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rack_recipes.errors import JournalError
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http import answers
from rack_recipes.server.http.answers import listed, long_answer
from rack_recipes.server.http.route_model import Call
from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service

ROWS = 5 * answers.PIECE // 1000


def rows(broken_at: int = -1) -> Iterator[str]:
    """Texts of 1000 characters."""
    for number in range(ROWS):
        if number == broken_at:
            raise JournalError("altered")
        yield json.dumps(str(number).ljust(998))


async def pieces(service: Service, parts: Iterator[str], is_valid: Callable[[], bool] = lambda: True) -> list[bytes]:
    """The pieces of an answer."""
    answer: Any = await long_answer(Call(service, {}, None, "", Caller("zoe", is_valid=is_valid)), parts)
    return [answer.body] if hasattr(answer, "body") else [piece async for piece in answer.body_iterator]


@pytest.mark.parametrize("texts", [[], ["1"], ["", "1", "", "", "2", ""]])
def test_empty_parts_are_passed_over(service, texts):
    (whole,) = asyncio.run(pieces(service, listed({"a": 1}, "all", texts)))
    assert json.loads(whole) == {"a": 1, "all": [int(text) for text in texts if text]}
    named = [f'"{text}":{text}' for text in texts if text]
    assert json.loads("".join(listed({"a": 1}, "all", named, "{}")))["all"] == {
        name: int(name) for name in texts if name
    }


def test_what_is_long_comes_in_pieces(service):
    found = asyncio.run(pieces(service, listed({"a": 1}, "all", rows())))
    assert len(found) > 1
    assert max(map(len, found)) < 2 * answers.PIECE + 2000
    assert len(json.loads(b"".join(found))["all"]) == ROWS


def test_a_token_that_is_revoked_ends_an_answer(service):
    checks: list[int] = []

    def is_valid() -> bool:
        checks.append(1)
        return len(checks) < 2

    with pytest.raises(Problem, match="not-known"):
        asyncio.run(pieces(service, rows(), is_valid))
    service.turns.check_room("zoe")


def test_what_goes_wrong_later_is_in_the_log_and_breaks_the_answer_off(service, capsys):
    with pytest.raises(JournalError):
        asyncio.run(pieces(service, rows(ROWS - 1)))
    assert "JournalError: altered" in capsys.readouterr().err
    assert not service.turns._answers
