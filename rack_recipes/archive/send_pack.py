# SPDX-License-Identifier: GPL-3.0-or-later

"""Send the pack of a run to a server of pages, over HTTP: again where the connection is lost, and with clear words."""

from __future__ import annotations

import json
import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, cast

from rack_recipes.archive.manifest_and_signatures import CHUNK
from rack_recipes.errors import StoreError, TrustError, UsageError
from rack_recipes.run.context_server_client import place_of
from rack_recipes.visible_text import cut, visible

PATH, GZIP = "/uploads", "application/gzip"
CONNECT = 30.0  # seconds until a server is reached, and until it reads on
ANSWER = 900.0  # seconds that a server may take to bring a large run into its store
GO_ON = 10.0  # seconds to wait for a server's word that it takes the pack; some proxies never say it
PAUSES = (0.5, 2.0, 5.0)  # seconds before the second try, the third, the fourth
CONTINUE = b"HTTP/1.1 100"
REFUSED, NOT_KNOWN, NOT_ALLOWED, FAULT = 400, 401, 403, 500  # statuses, and where those begin that are refusals
AWAY = frozenset({502, 504})  # what a proxy says whose server is away for a moment
LONGEST = 2000  # characters of an answer that are shown

OnSent = Callable[[int, int], None]
"""Is told how many bytes were sent, of how many."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server of pages: its address, TLS for it where there is some, and a token."""

    address: str
    place: tuple[str, int]
    tls: ssl.SSLContext | None
    token: str = field(repr=False)


class _AwayError(Exception):
    """The connection was lost, or not made: trying again may help."""


def server_of(address: str, token: str, authority: str = "") -> Server:
    """The server at an address; `authority` is the file of who has signed its certificate. Raises UsageError."""
    place, tls = place_of(address, authority, "--to", "--ca")
    if place is None:
        raise UsageError(f"--to {address}: expected the address of a server of pages, such as https://rack.lab:8321")
    return Server(address.rstrip("/"), place, tls, token)


def send(server: Server, pack: Path, on_sent: OnSent = lambda _sent, _size: None) -> dict[str, Any]:
    """Send a pack; returns what the server says of the run.

    Raises UsageError, TrustError where the server does not let us, StoreError where it cannot be reached or is broken.
    """
    for pause in PAUSES:
        with suppress(_AwayError):
            return _sent(server, pack, on_sent)
        time.sleep(pause)
    try:
        return _sent(server, pack, on_sent)
    except _AwayError as error:
        raise StoreError(
            f"--to {server.address}: the server cannot be reached: {error}; the run is safe in its folder here"
        ) from None


def _sent(server: Server, pack: Path, on_sent: OnSent) -> dict[str, Any]:
    try:
        with closing(_connection(server)) as connection:
            connection.connect()
            status, text = _exchange(server, connection, pack, on_sent)
    except ssl.SSLCertVerificationError as error:
        raise UsageError(
            f"--to {server.address}: its certificate is not trusted: {error.verify_message}. --ca names the file of "
            "who has signed it; the host in --to has to be a name in it"
        ) from None
    except socket.gaierror as error:
        raise UsageError(f"--to {server.address}: there is no such server: {error.strerror}") from None
    except (OSError, HTTPException) as error:
        raise _AwayError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
    if status in AWAY:
        raise _AwayError(f"it answers with status {status}")
    return _answer(server, status, text)


def _connection(server: Server) -> HTTPConnection:
    if server.tls:
        return HTTPSConnection(*server.place, timeout=CONNECT, context=server.tls)
    return HTTPConnection(*server.place, timeout=CONNECT)


def _exchange(server: Server, connection: HTTPConnection, pack: Path, on_sent: OnSent) -> tuple[int, str]:
    """Ask whether the server takes the pack, send it if so, and read the answer (RFC 9110, 10.1.1)."""
    size = pack.stat().st_size
    headers = {
        "Authorization": f"Bearer {server.token}",
        "Accept": "application/json",
        "Content-Type": GZIP,
        "Content-Length": str(size),
        "Expect": "100-continue",
    }
    connection.putrequest("POST", PATH)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    wire = cast("socket.socket", connection.sock)
    with closing(HTTPResponse(wire, method="POST")) as answer:
        if _goes_on(wire, answer):
            with suppress(ConnectionError):  # it may have answered before the end, and the answer says why
                _send_body(wire, pack, size, on_sent)
        wire.settimeout(ANSWER)
        answer.begin()
        return answer.status, answer.read().decode("utf-8", "replace")


def _goes_on(wire: socket.socket, answer: HTTPResponse) -> bool:
    """Whether the server takes the pack; one that says nothing gets it, too. What it says is left to be read."""
    if not select.select([wire], [], [], GO_ON)[0]:
        return True
    said = answer.fp.peek(len(CONTINUE))
    if not said:
        raise ConnectionError("it has closed the connection")
    return said.startswith(CONTINUE)


def _send_body(wire: socket.socket, pack: Path, size: int, on_sent: OnSent) -> None:
    sent = 0
    with pack.open("rb") as file:
        while data := file.read(CHUNK):
            wire.sendall(data)
            sent += len(data)
            on_sent(sent, size)


def _answer(server: Server, status: int, text: str) -> dict[str, Any]:
    """What the server says of the run. Raises the error that a refusal is."""
    try:
        told = json.loads(text)
        if status < REFUSED and isinstance(told["run_id"], str):
            return dict(told)
        reason = "; ".join(filter(None, (str(told["detail"]), str(told.get("advice") or ""))))
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = f"it is no server of pages that takes runs: it answers with status {status}"
    kind = TrustError if status in (NOT_KNOWN, NOT_ALLOWED) else UsageError if status < FAULT else StoreError
    raise kind(f"--to {server.address}: {visible(cut(reason, LONGEST))}")
