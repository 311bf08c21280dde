# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network socket that the server listens on, and its TLS."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rack_recipes.errors import UsageError

ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\[\]:]+)):([0-9]{1,5})")
BACKLOG = 2048
ADVICE = {
    errno.EADDRINUSE: "give another port, or 0 for any free one",
    errno.EADDRNOTAVAIL: "give an address of this machine, or 0.0.0.0 for all of them",
    errno.EACCES: "give a port from 1024 on",
}
MAKE_PAIR = (  # browsers know no certificates with ed25519
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout key.pem -out cert.pem "
    "-subj /CN=NAME"
)


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of TLS, in PEM form. `key` is None where it is in the file of the certificate."""

    cert: Path
    key: Path | None = None
    client_ca: Path | None = None


def parse_address(text: str) -> tuple[str, int]:
    """The host and the port of HOST:PORT. Raises UsageError."""
    found = ADDRESS.fullmatch(text)
    if not found or int(found[3]) > 65535:
        raise UsageError(f"--listen: expected HOST:PORT such as 127.0.0.1:8470 or [::1]:8470, got {text!r}")
    return found[1] or found[2], int(found[3])


def listen(text: str, tls: Tls | None) -> socket.socket:
    """A socket that listens at HOST:PORT. Raises UsageError, also for a network address without TLS."""
    host, port = parse_address(text)
    family, address = _resolved(host, port)
    if tls is None and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise UsageError(
            f"--listen {text} without TLS: everybody on the network could read tokens and values. Give --tls-cert and "
            f"--tls-key (`{MAKE_PAIR}` makes a pair to try), or listen on 127.0.0.1"
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        advice = ADVICE.get(error.errno or 0, "")
        raise UsageError(f"--listen {text}: {error.strerror}{f': {advice}' if advice else ''}") from error
    listener.setblocking(False)
    return listener


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UsageError(f"--listen: {host} is no address of a network: {error.strerror}") from error
    family, _kind, _protocol, _name, address = found[0]
    return family, address  # type: ignore[return-value]  # of IPv6 it has four parts


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What the files say. With `client_ca` clients are asked for a certificate; one without sends a token instead.

    Raises UsageError.
    """
    _check_key(tls.key or tls.cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(f"--tls-cert {tls.cert}", lambda: context.load_cert_chain(tls.cert, tls.key, password=lambda: ""))
    if tls.client_ca:
        _load(f"--tls-client-ca {tls.client_ca}", lambda: context.load_verify_locations(tls.client_ca))
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _check_key(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise UsageError(f"--tls-key {key}: {error.strerror}") from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise UsageError(f"--tls-key {key}: everybody can read it, so it is no secret: chmod 600 {key}")


def _load(what: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise UsageError(f"{what}: is not in PEM form, or the key does not fit it: {error.reason}") from error
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror}") from error
