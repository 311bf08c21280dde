# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server process: a socket, the application, and an end that leaves no client hanging."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.server import unix_socket
from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.caller import ADMIN, Caller
from ansible_collections.rack.recipes.plugins.plugin_utils.server.problems import Problem
from ansible_collections.rack.recipes.plugins.plugin_utils.server.service import Service

if TYPE_CHECKING:
    import uvicorn

GRACE = 5  # seconds for answers that are being made when the server is told to end


def check_packages() -> None:
    """Raise UsageError if the packages of the server are not installed."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the context server needs further packages: {error}: `pip install 'rack-recipes[server]'` brings them"
        ) from error


def peer_protocol() -> type[asyncio.Protocol]:
    """HTTP that knows which user is at the other end of a Unix socket: the scope's `client` is `(uid, pid)`."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class PeerProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one of two, by what is installed
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            pid, uid = unix_socket.peer_of(transport.get_extra_info("socket"))
            self.client = (str(uid), pid)

    return PeerProtocol


def identify(scope: Any) -> Caller:
    """The user who sends a request. Raises Problem for one who is neither the server's own nor root."""
    uid = int(scope["client"][0])
    if uid not in (0, os.getuid()):
        user = unix_socket.user_name(os.getuid())
        raise Problem("not-allowed", f"user {unix_socket.user_name(uid)} may not use this socket", f"ask as {user}")
    return Caller(unix_socket.user_name(uid), ADMIN)


def _server(config: uvicorn.Config, service: Service, ready: Callable[[], None]) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """A server that ends its event streams first: uvicorn would wait for them."""

        async def startup(self, sockets: Any = None) -> None:
            """Listen, and say so."""
            await super().startup(sockets)
            self._follower = asyncio.get_running_loop().create_task(service.commit.follow())
            ready()

        async def shutdown(self, sockets: Any = None) -> None:
            """End: first the streams and those who wait, then what is being answered."""
            service.listeners.close()
            self._follower.cancel()
            await super().shutdown(sockets)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Let SIGTERM and SIGINT end the server in good order, with exit code 0; an ignored one stays ignored."""
            handled = [
                number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) != signal.SIG_IGN
            ]
            before = {number: signal.signal(number, self.handle_exit) for number in handled}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """End; a second signal waits for nobody."""
            self.force_exit = self.should_exit
            self.should_exit = True

    return Server(config)


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A Unix socket that listens at this path during the block. Raises UsageError."""
    listener = unix_socket.listen(path)
    inode = path.lstat().st_ino
    try:
        yield listener
    finally:
        listener.close()
        unix_socket.remove(path, inode)


def serve(service: Service, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called once requests are answered."""
    import uvicorn

    from ansible_collections.rack.recipes.plugins.plugin_utils.server.http.app import make_app

    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        make_app(service, identify),
        http=peer_protocol(),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    _server(config, service, ready).run([listener])
