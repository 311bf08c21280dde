# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.plugin_utils.server.http.events import PIECE, _next_piece
from ansible_collections.rack.recipes.plugins.plugin_utils.server.service import make_service
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.server.live.live_contexts import (
    begun,
    opened,
    setting,
)


def test_a_listener_that_is_far_behind_gets_pieces_of_limited_size(tmp_path):
    live = opened(begun(tmp_path))
    live.commit([setting("x" * 100_000) for _each in range(8)])
    service, cursor, sizes = make_service(live), 0, []
    while cursor < 8:
        cursor, piece = _next_piece(service, cursor, "*", None)
        sizes.append(len(piece))
        assert piece.count(b"event: change") == piece.count(b"id: ")
    assert len(sizes) == 3
    assert max(sizes) < PIECE + 101_000


def test_what_a_listener_does_not_want_is_passed_over(tmp_path):
    live = opened(begun(tmp_path))
    live.commit([setting(1, key="a_v1"), setting(2, key="b_v1", host="leaf1"), setting(3, key="b_v1", host="leaf2")])
    service = make_service(live)
    assert _next_piece(service, 0, "c*", None) == (3, b"")
    cursor, piece = _next_piece(service, 0, "b*", "leaf2")
    assert (cursor, piece.startswith(b"id: 3\nevent: change\ndata: {"), piece[-2:]) == (3, True, b"\n\n")
