# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from rack_recipes.server.http import read_request
from rack_recipes.server.http.read_request import GoneError, Incoming

GONE = {"type": "http.disconnect"}
PARTS = [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}]


def discarded(method: str, headers: dict[str, str], messages: Sequence[dict[str, Any]]) -> int:
    """How many messages were received of a request that was refused at once."""
    left = [*messages]

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    raw = [(name.encode(), text.encode()) for name, text in headers.items()]
    asyncio.run(Incoming({"method": method, "headers": raw}, receive).discard())
    return len(messages) - len(left)


@pytest.mark.parametrize(
    ("method", "headers", "received"),
    [
        ("PUT", {"content-length": "3"}, 2),
        ("POST", {"transfer-encoding": "chunked"}, 2),
        ("GET", {"content-length": "3"}, 2),
        ("GET", {}, 0),
        ("HEAD", {}, 0),
        ("PUT", {"content-length": "3", "expect": "100-continue"}, 0),
    ],
)
def test_a_body_that_is_sent_is_read_to_its_end(method, headers, received):
    assert discarded(method, headers, PARTS) == received


def test_an_endless_body_is_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(read_request, "MOST_DISCARDED", 5)
    assert discarded("PUT", {}, [PARTS[0]] * 9) == 3


def test_a_client_that_has_gone_gets_no_answer():
    with pytest.raises(GoneError):
        discarded("PUT", {}, [PARTS[0], GONE])
