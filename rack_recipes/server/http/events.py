# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes as server-sent events, which go on after a break where they stopped.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from time import perf_counter
from typing import TYPE_CHECKING

from rack_recipes.server.http.answers import with_texts
from rack_recipes.server.http.long_answers import PIECE
from rack_recipes.server.http.route_model import EVENTS, Call
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

    from rack_recipes.server.served_context import Service

NEAR = 2  # changes that a listener may be behind; one that is farther behind catches up in turns
CACHED = 128  # events, each of at most a value's size
SILENCE = 15.0  # seconds without a change after which a comment shows that the connection lives
RETRY = b"retry: 1000\n\n"  # milliseconds after which a browser connects again


async def follow_changes(call: Call) -> Response:
    """Each change as an event of the kind `change`, whose id is the number of the change."""
    from starlette.responses import StreamingResponse

    last = call.service.listeners.told
    since = call.get("Last-Event-ID", call.get("since", last))
    if since > last:
        raise Problem("not-found", f"change {since} does not exist, the last is {last}", "begin with an earlier one")
    stream = _events(call, since)
    return StreamingResponse(stream, headers={"cache-control": "no-store"}, media_type=EVENTS)


async def _events(call: Call, since: int) -> AsyncIterator[bytes]:
    yield RETRY
    service, cursor = call.service, since
    while not service.listeners.is_closed:
        if not await service.listeners.wait_beyond(cursor, SILENCE):
            piece = b": no change\n\n"
        else:
            work = partial(_next_piece, call, cursor)
            is_near = service.listeners.told - cursor <= NEAR
            cursor, piece = work(math.inf) if is_near else await service.turns.take(work)
        if not call.caller.is_valid():
            return
        if piece:
            yield piece


def _next_piece(call: Call, cursor: int, until: float) -> tuple[int, bytes]:
    """The next event after a change, and more of them until some time; and the change up to which it has them."""
    service, wanted, host = call.service, call.get("key", "*"), call.get("host")
    found: list[bytes] = []
    size = 0
    for number in range(cursor + 1, service.listeners.told + 1):
        cursor = number
        for key, place, event in _event(service, number):
            if fnmatchcase(key, wanted) and host in (None, place or host) and call.caller.reads(key):
                found.append(event)
                size += len(event)
        if size >= PIECE or perf_counter() >= until:
            break
    return cursor, b"".join(found)


@lru_cache(maxsize=CACHED)
def _event(service: Service, number: int) -> tuple[tuple[str, str, bytes], ...]:
    """The key, the host and the text of a change; nothing for a refused write. Many listeners share one."""
    change = service.live.index.change(number)
    if change is None:
        return ()
    text = f"id: {number}\nevent: change\ndata: {with_texts(change.about, after=change.after)}\n\n"
    return ((change.about["key"], change.about["host"], text.encode()),)
