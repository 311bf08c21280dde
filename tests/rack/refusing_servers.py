# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH servers that end each connection before anybody has logged in, as an overloaded or a suspicious one does.

    with RefusingServer("closed in the key exchange") as server:
        subprocess.run(["ssh", "-p", str(server.port), LISTENS_ON])

Needs no root.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from types import TracebackType
from typing import Self

LISTENS_ON = "127.0.0.1"
BANNER = b"SSH-2.0-OpenSSH_9.9\r\n"
NOT_NOW = b"Not allowed at this time\r\n"  # an sshd whose PerSourcePenalties count against the address says so
LONGEST_MESSAGE = 1 << 16
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a connection is reset, not closed

# What the server says first, whether it then reads the client's banner and key exchange, and whether it resets.
WAYS = {
    "closed at once": (b"", False, False),
    "told why, and closed": (NOT_NOW, False, False),
    "reset at once": (b"", False, True),
    "closed after the banner": (BANNER, False, False),
    "closed in the key exchange": (BANNER, True, False),
    "reset in the key exchange": (BANNER, True, True),
}


class RefusingServer:
    """Refuses every connection to `LISTENS_ON:port` in one of `WAYS`, in a thread of its own.

    `connections` counts them, from 1 on. With a `target`, only those in `refused` are refused; the others go on to it.
    """

    def __init__(self, way: str, target: tuple[str, int] | None = None, refused: range = range(0)) -> None:
        self.connections = 0
        self._says, self._reads, self._resets = WAYS[way]
        self._target = target
        self._refused = refused
        answer = self._answer

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                answer(self.request)

        self._server = socketserver.ThreadingTCPServer((LISTENS_ON, 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._counting = threading.Lock()

    def _answer(self, client: socket.socket) -> None:
        with self._counting:
            self.connections += 1
            is_refused = not self._target or self.connections in self._refused
        with contextlib.suppress(OSError):
            if is_refused:
                self._refuse(client)
            elif self._target:
                _pass_on(client, self._target)

    def _refuse(self, client: socket.socket) -> None:
        client.sendall(self._says)
        if self._reads:
            banner = client.makefile("rb", buffering=0).readline()
            assert banner.startswith(b"SSH-")
            client.recv(LONGEST_MESSAGE)
        if self._resets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            client.close()  # before the server can say that it is the end

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _pass_on(client: socket.socket, target: tuple[str, int]) -> None:
    with socket.create_connection(target) as host:
        back = threading.Thread(target=_copy, args=(host, client), daemon=True)
        back.start()
        _copy(client, host)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(LONGEST_MESSAGE):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
