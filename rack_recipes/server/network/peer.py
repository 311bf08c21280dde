# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is at the other end of a connection: a user of this machine, or an address, perhaps with a certificate."""

from __future__ import annotations

import ipaddress
import pwd
import socket
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

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


def peer_of(transport: Any) -> Peer:
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


def names_of(certificate: Mapping[str, Any]) -> tuple[str, ...]:
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
