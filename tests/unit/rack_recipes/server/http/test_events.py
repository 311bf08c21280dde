# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import begun, opened, setting
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http.answers import PIECE
from rack_recipes.server.http.keys_and_events import _next_piece
from rack_recipes.server.http.route_model import Call
from rack_recipes.server.live.live_context import LiveContext
from rack_recipes.server.served_context import make_service


def listening(live: LiveContext, keys: tuple[str, ...] = ("*",), **params: str) -> Call:
    """A request for events."""
    return Call(make_service(live), params, None, "", Caller("zoe", keys=keys))


def test_a_listener_that_is_far_behind_gets_pieces_of_limited_size(tmp_path):
    live = opened(begun(tmp_path))
    live.commit([setting("x" * 20_000) for _each in range(8)])
    listener, cursor, sizes = listening(live), 0, []
    while cursor < 8:
        cursor, piece = _next_piece(listener, cursor, math.inf)
        sizes.append(len(piece))
        assert piece.count(b"event: change") == piece.count(b"id: ")
    assert len(sizes) == 2
    assert max(sizes) < PIECE + 21_000


def test_what_a_listener_does_not_want_is_passed_over(tmp_path):
    live = opened(begun(tmp_path))
    live.commit([setting(1, key="a_v1"), setting(2, key="b_v1", host="leaf1"), setting(3, key="b_v1", host="leaf2")])
    assert _next_piece(listening(live, key="c*"), 0, math.inf) == (3, b"")
    cursor, piece = _next_piece(listening(live, key="b*", host="leaf2"), 0, math.inf)
    assert (cursor, piece.startswith(b"id: 3\nevent: change\ndata: {"), piece[-2:]) == (3, True, b"\n\n")
    _cursor, own_and_of_the_run = _next_piece(listening(live, host="leaf2"), 0, math.inf)
    assert [line for line in own_and_of_the_run.splitlines() if line.startswith(b"id: ")] == [b"id: 1", b"id: 3"]


def test_a_listener_gets_only_what_it_may_read(tmp_path):
    live = opened(begun(tmp_path))
    live.commit([setting(1, key="a_v1"), setting(2, key="b_v1")])
    cursor, piece = _next_piece(listening(live, keys=("b*",)), 0, math.inf)
    assert (cursor, piece[:6], piece.count(b"event: change")) == (2, b"id: 2\n", 1)
