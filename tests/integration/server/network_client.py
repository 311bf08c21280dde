# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP over the network to a server of a test, with a token or a certificate."""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.rack.recipes.tests.integration.server.certificates import Pair
from ansible_collections.rack.recipes.tests.integration.server.server_process import (
    TIMEOUT,
    Answer,
    Server,
    UnixConnection,
)
from call_rack_recipes import rack_recipes


def new_token(name: str, role: str, *options: str) -> str:
    """A new token of the current project."""
    made = rack_recipes("token", "create", name, "--role", role, *options)
    assert made.code == 0, made.stderr
    return made.stdout.strip()


def trusting(authority: Pair, client: Pair | None = None) -> ssl.SSLContext:
    """What a client trusts, and the certificate that it shows."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if client:
        context.load_cert_chain(client.cert, client.key)
    return context


class NetworkConnection(UnixConnection):
    """HTTP over TCP, with TLS where there is a context for it."""

    def __init__(self, server: Server, context: ssl.SSLContext | None = None) -> None:
        super().__init__("")
        self.host = "localhost"
        self._place = ("127.0.0.1", urlsplit(server.ready["url"]).port or 0)
        self._context = context

    def connect(self) -> None:
        """Connect."""
        plain = socket.create_connection(self._place, TIMEOUT)
        self.sock = self._context.wrap_socket(plain, server_hostname="localhost") if self._context else plain


def ask(server: Server, method: str, target: str, data: Any = ..., token: str = "", **more: Any) -> Answer:
    """One request on a connection of its own."""
    connection = NetworkConnection(server, more.pop("context", None))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return connection.ask(method, target, data, **headers, **more)
    finally:
        connection.close()
