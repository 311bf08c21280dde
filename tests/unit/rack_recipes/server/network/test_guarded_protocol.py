# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from rack_recipes.server.network.guarded_protocol import BODY, HEAD, UNREAD, Progress, raw_answer
from rack_recipes.server.problems import Problem

PATIENCE = 10.0


def stuck_after(what: str, bytes_a_second: int, seconds: int) -> bool:
    """Whether a client with this speed counts as stuck at some second."""
    progress = Progress(0.0)
    start = -(10**9) if what == UNREAD else 0
    return any(progress.is_stuck(what, start + bytes_a_second * now, now, PATIENCE) for now in range(seconds))


def test_headers_have_to_come_in_time_however_they_drip():
    assert not stuck_after(HEAD, 0, 10)
    assert stuck_after(HEAD, 100, 13)


def test_a_body_and_a_reader_may_be_slow_but_not_stuck():
    for what in (BODY, UNREAD):
        assert stuck_after(what, 0, 14)
        assert stuck_after(what, 100, 14)
        assert not stuck_after(what, 1100, 100)


def test_a_connection_without_a_request_is_not_stuck():
    assert not stuck_after("", 0, 100)


def test_an_answer_without_a_request():
    answer = raw_answer(Problem("too-many", "no", "wait", headers={"retry-after": "1"}))
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 The client asks too often\r\nretry-after: 1\r\n")
    assert f"content-length: {len(body)}".encode() in head
