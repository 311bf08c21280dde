# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP connections that know who is at the other end, and that are cut off where a client holds them up.

uvicorn waits without end for the headers and the body of a request, and for a client that does not read its answer.

One rule limits what a client sends beside the content of a body, whichever parser reads it: the first line, headers,
white space, the sizes and extensions of chunks, trailers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text
from rack_recipes.server.network.clients import LARGEST_HEAD, Peer, Turnstile, head_too_large, peer_of
from rack_recipes.server.problems import KINDS, Problem

HEAD, BODY, UNREAD = "head", "body", "unread"  # what a client can hold up
SLOWEST = 1024  # bytes a second, below which a body or a reader counts as stuck
FRAME = 2  # bytes around each byte of a body that comes in chunks: some clients send a few signs at a time
NOT_HTTP = Problem("bad-request", "this is no request in HTTP/1.1", "send it by a program or a library for HTTP")


class Progress:
    """How a connection comes on: since when it is at something, and what it had done by then."""

    __slots__ = ("amount", "since", "what")

    def __init__(self, now: float) -> None:
        self.what, self.since, self.amount = HEAD, now, 0

    def is_stuck(self, what: str, amount: int, now: float, patience: float) -> bool:
        """Whether it is at this for too long; `amount` is a number of bytes that grows as it comes on."""
        if what != self.what or (what != HEAD and amount - self.amount >= SLOWEST * patience):
            self.what, self.since, self.amount = what, now, amount
        return bool(what) and now - self.since > patience


class Guarded(asyncio.Protocol):
    """What a connection has beside uvicorn's own; the scope's `client` is a Peer."""

    turnstile: Turnstile
    transport: Any
    loop: Any
    cycle: Any
    client: Any
    conn: Any = None  # h11's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and refuse it if it is one too many."""
        self.peer: Peer = peer_of(transport)
        self._received = self._head = self._more = 0
        self._progress = Progress(self.loop.time())
        super().connection_made(transport)
        self.client = self.peer
        problem = self.turnstile.enter(self.peer)
        if problem:
            self._refuse(problem)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self.turnstile.leave(self.peer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request. One that is endless without a body is refused."""
        cycle, was_in_body, had = self.cycle, self._is_in_body(), len(self.cycle.body) if self.cycle else 0
        self._more = len(data)
        super().data_received(data)
        self._received += len(data)
        self._more = 0
        if self.cycle is not cycle or was_in_body is not self._is_in_body():
            self._head = 0
        else:
            content = len(cycle.body) - had if was_in_body else 0
            self._head = max(0, self._head + len(data) - (1 + FRAME) * content)
            if self._head > LARGEST_HEAD:
                self._refuse(self._head_too_large())

    def on_headers_complete(self) -> None:
        """Begin a request. What this parser reports as headers from now on are trailers, which count for nothing."""
        super().on_headers_complete()  # type: ignore[misc]
        self.headers: list[tuple[bytes, bytes]] = []

    def send_400_response(self, _message: str) -> None:
        """Refuse what the parser cannot read; the parsers have limits of their own, too."""
        is_too_large = self._head + self._more > LARGEST_HEAD
        self._refuse(self._head_too_large() if is_too_large else NOT_HTTP)

    def _head_too_large(self) -> Problem:
        """The problem of a head that has no end yet, whose first line may have none either."""
        of_h11 = self.conn.trailing_data[0].partition(b"\n")[0] if self.conn else b""
        address = len(getattr(self, "url", of_h11))
        return head_too_large(address, self._head + self._more - address)

    def resume_writing(self) -> None:
        """The client has read: little is left in the buffer."""
        self._progress = Progress(self.loop.time())
        super().resume_writing()

    def check(self, now: float) -> None:
        """Cut the connection off if its client holds it up for too long."""
        if self._progress.is_stuck(*self._held_up(), now, self.turnstile.limits.patience):
            self.transport.abort()

    def _held_up(self) -> tuple[str, int]:
        """What the client holds up, if anything, and how far it is."""
        unread = self.transport.get_write_buffer_size()
        if unread:
            return UNREAD, -unread
        if self._is_in_body():
            return BODY, self._received
        has_not_begun = self.cycle is None and self.peer.uid is None  # users of this machine may connect ahead of time
        return (HEAD, self._head) if self._head or has_not_begun else ("", 0)

    def _is_in_body(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body

    def _refuse(self, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(raw_answer(problem))
        self.transport.close()


def guarded_protocol(turnstile: Turnstile) -> type[asyncio.Protocol]:
    """The class of connections: uvicorn's, with one of two parsers by what is installed."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    return type("GuardedProtocol", (Guarded, AutoHTTPProtocol), {"turnstile": turnstile})


def check_all(connections: Iterable[Any], turnstile: Turnstile, now: float) -> None:
    """Cut off the connections that are held up; to be called each second."""
    for connection in [*connections]:
        connection.check(now)
    turnstile.forget()


def raw_answer(problem: Problem) -> bytes:
    """The answer to a connection on which no request was read."""
    body = json_text(problem.body()).encode()
    headers = {
        **problem.headers,
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    first = f"HTTP/1.1 {problem.status} {KINDS[problem.kind].title}"
    return "\r\n".join([first, *(f"{name}: {headers[name]}" for name in headers), "", ""]).encode() + body
