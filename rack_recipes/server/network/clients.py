# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is at the other end of a connection, and what one client may use, so that others get their turn.

Users of the Unix socket have no limit of their own.
"""

from __future__ import annotations

import ipaddress
import math
import pwd
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rack_recipes.run.open_files import raise_open_files
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    import asyncio

CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of SO_PEERCRED
ALTERNATIVES = ("DNS", "email", "URI")  # kinds of names in a certificate, beside that of its subject
SITE = 64  # bits of an IPv6 address that name a network: one client can have all addresses in it


class Peer(NamedTuple):
    """The other end. The first two fields are what ASGI has: an address and a port, or a user id and a process.

    `uid` is None for a network connection. `names` are those of a client certificate that was checked.
    """

    address: str
    port: int
    uid: int | None = None
    names: tuple[str, ...] = ()

    @property
    def client(self) -> str:
        """What limits count together: the address, for IPv6 its network; empty for a Unix socket."""
        return "" if self.uid is not None else _client_of(self.address)


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Who is at the other end of a connection."""
    connection = transport.get_extra_info("socket")
    if connection.family == socket.AF_UNIX:
        pid, uid = credentials_of(connection)
        return Peer(str(uid), pid, uid)
    address = transport.get_extra_info("peername") or ("", 0)
    secure = transport.get_extra_info("ssl_object")
    names = names_of(secure.getpeercert() or {}) if secure else ()
    return Peer(str(address[0]), int(address[1]), None, names)


def credentials_of(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end of a Unix socket."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, _gid = CREDENTIALS.unpack(packed)
    return pid, uid


def names_of(certificate: Mapping[str, object]) -> tuple[str, ...]:
    """The names that a certificate is for, as Python's `getpeercert` has them."""
    return tuple(dict.fromkeys(_names(certificate)))


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for part in certificate.get("subject", ()):
        yield from (text for kind, text in part if kind == "commonName")
    for kind, text in certificate.get("subjectAltName", ()):
        if kind in ALTERNATIVES:
            yield text


@lru_cache(maxsize=4096)
def _client_of(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, SITE), strict=False))
    return str(found)


@lru_cache
def user_name(uid: int) -> str:
    """The name of a user; the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


LARGEST_HEAD = 32768  # bytes of the first line and the headers of a request
OWN_FILES = 256  # descriptors for everything but connections
ADVICE = "use fewer connections, and keep them open"


@dataclass(frozen=True, slots=True)
class Limits:
    """`connections` and `requests` (a second) are those of one network address, `all_connections` those of everybody.

    `patience` is how many seconds a client may take to send its headers, and to send or read nothing.
    """

    connections: int = 256
    all_connections: int = 4096
    requests: float = 1000.0
    patience: float = 10.0


def with_room(limits: Limits) -> Limits:
    """Raise the number of files that this process may open; returns limits that fit it."""
    allowed = raise_open_files(limits.all_connections + OWN_FILES)
    return replace(limits, all_connections=max(1, min(limits.all_connections, allowed - OWN_FILES)))


class Turnstile:
    """Counts the connections and the requests of each network address. `clock` tells the time in seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._all = 0
        self._left: dict[str, tuple[float, float]] = {}  # requests that a client may send, and when it was so

    def enter(self, peer: Peer) -> Problem | None:
        """Count a connection; a problem if it is one too many. Each that was counted must leave."""
        self._all += 1
        self._open[peer.client] += 1
        if self._all > self.limits.all_connections:
            return _too_many(f"the server has {self.limits.all_connections} connections already", 1, ADVICE)
        if peer.client and self._open[peer.client] > self.limits.connections:
            return _too_many(f"{peer.client} has {self.limits.connections} connections already", 1, ADVICE)
        return None

    def leave(self, peer: Peer) -> None:
        """A connection was closed."""
        self._all -= 1
        self._open[peer.client] -= 1
        if not self._open[peer.client]:
            del self._open[peer.client]

    def count(self, peer: Peer) -> None:
        """Count a request. Raises Problem if this client asks too often.

        A client that has rested may send the requests of one second together.
        """
        client = peer.client
        if not client:
            return
        now, most = self._clock(), self.limits.requests
        left, then = self._left.get(client, (most, now))
        left = min(most, left + (now - then) * most)
        if left < 1:
            wait = math.ceil((1 - left) / most)
            raise _too_many(f"{client} may send {most:g} requests a second", wait, "wait, then go on")
        self._left[client] = left - 1, now

    def forget(self) -> None:
        """Forget clients that have sent nothing for a second."""
        now = self._clock()
        self._left = {client: (left, then) for client, (left, then) in self._left.items() if then > now - 1.0}


def head_too_large(address: int, others: int) -> Problem:
    """The problem of a request whose first line and headers are too large; the larger part of them is to blame.

    `address` is how many bytes the address has, `others` how many the headers have.
    """
    if address > others:
        return address_too_long(LARGEST_HEAD)
    return Problem(
        "head-too-large",
        f"the first line and the headers of a request may have {LARGEST_HEAD} bytes",
        "send fewer or shorter headers",
        headers={"connection": "close"},
    )


def address_too_long(most: int) -> Problem:
    """The problem of a request whose address has more bytes than this."""
    return Problem(
        "address-too-long",
        f"the address of a request may have {most} bytes",
        "ask for less at a time",
        headers={"connection": "close"},
    )


def check_head(scope: Mapping[str, Any]) -> None:
    """Raise Problem if the address and the headers of a request are too large."""
    address = len(scope["raw_path"]) + len(scope["query_string"])
    others = sum(len(name) + len(value) for name, value in scope["headers"])
    if address + others > LARGEST_HEAD:
        raise head_too_large(address, others)


def _too_many(detail: str, seconds: int, advice: str) -> Problem:
    return Problem("too-many", detail, advice, headers={"retry-after": str(seconds)})
