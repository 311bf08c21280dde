# SPDX-License-Identifier: GPL-3.0-or-later

"""The faulty network proxy, in front of a server that answers everything twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from faulty_network_proxy import LISTENS_ON, Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        with Proxy(*server.getsockname()) as made:
            yield made


def serve(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=answer, args=[server.accept()[0]], daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(100):
            connection.sendall(data * 2)


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((LISTENS_ON, proxy.port), timeout=10)


def say(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def hears_nothing(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        return not connection.recv(100)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(10)


def test_what_is_paused_gets_through_later(proxy: Proxy):
    with connect(proxy) as connection:
        assert say(connection, b"a") == b"aa"
        proxy.pause()
        connection.sendall(b"b")
        assert hears_nothing(connection)
        proxy.resume()
        assert connection.recv(100) == b"bb"


def test_what_is_forgotten_never_gets_through_and_new_connections_do(proxy: Proxy):
    with connect(proxy) as old:
        assert say(old, b"a") == b"aa"
        assert proxy.forget() == 1
        old.sendall(b"b")
        assert hears_nothing(old)
        with connect(proxy) as new:
            assert say(new, b"c") == b"cc"


def test_a_reset_is_one(proxy: Proxy):
    with connect(proxy) as connection:
        assert say(connection, b"a") == b"aa"
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
