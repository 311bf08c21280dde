# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a context server that the parts of a group share: over its Unix socket on this machine, or over the network."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ansible_collections.rack.recipes.plugins.module_utils.live_client import (
    ANSWER,
    ERROR,
    LiveError,
    Request,
    Wire,
    connected,
)
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    import ssl

    from rack_recipes.settings import Settings

HTTPS, HTTP = "https", "http"
HERE = ("127.0.0.1", "::1", "localhost")
EXPECTED = (
    "expected the path of its socket, or https://HOST:PORT (http:// only for this machine, since everybody on the way "
    "could read the token)"
)


class ServerLink(Wire):
    """The way to the server at an address, with a token where there is one. Raises UsageError for no such address."""

    def __init__(self, address: str, token: str = "", authority: str = "") -> None:
        super().__init__({"socket": address})
        self.address = address
        self.lost = f"the context server {address.replace('{', '{{').replace('}', '}}')} cannot be reached: {{}}"
        self._token = token
        self._place, self._tls = place_of(address, authority)

    def own_headers(self) -> list[str]:
        """The lines of the head that say who asks."""
        return [f"Authorization: Bearer {self._token}"] if self._token else []

    def connected(self) -> socket.socket:
        """A new connection. Raises OSError."""
        if self._place is None:
            return connected(self.address)
        plain = socket.create_connection(self._place, ANSWER)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(plain, server_hostname=self._place[0]) if self._tls else plain

    def check(self) -> None:
        """Raise UsageError where no context server answers."""
        try:
            found = self.ask(Request("GET", "/", {}), ANSWER, ERROR)
        except LiveError as error:
            raise UsageError(f"--server: {error}") from error
        if found.get("state") != "open":
            raise UsageError(f"--server {self.address}: the run of this server is over: use one that is open")


def link_of(settings: Settings) -> ServerLink:
    """The way to the server of the settings. Raises UsageError."""
    return ServerLink(settings.server, settings.server_token, settings.server_ca)


def place_of(
    address: str, authority: str, option: str = "--server", of_authority: str = "server_ca"
) -> tuple[tuple[str, int] | None, ssl.SSLContext | None]:
    """Host and port of an address on the network, and TLS for it; None for a socket on this machine.

    `option` has the address, `of_authority` the file of who has signed its certificate. Raises UsageError.
    """
    if "://" not in address:
        return None, None
    scheme, host, port = _parsed(address)
    if not (host and port and (scheme == HTTPS or (scheme == HTTP and host in HERE))):
        raise UsageError(f"{option} {address}: {EXPECTED}")
    return (host, port), _tls(authority, of_authority) if scheme == HTTPS else None


def _parsed(address: str) -> tuple[str, str, int]:
    """The scheme, the host and the port of an address; empty and 0 where it has none."""
    try:
        url = urlsplit(address)
        return url.scheme, "" if url.path.strip("/") else url.hostname or "", url.port or 0
    except ValueError:
        return "", "", 0


def _tls(authority: str, option: str) -> ssl.SSLContext:
    import ssl  # a server on this machine does not need it

    try:
        return ssl.create_default_context(cafile=authority or None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{option} {authority}: {error.strerror or error}") from error
