# SPDX-License-Identifier: GPL-3.0-or-later

"""How our servers are set up with uvicorn, listen on a network and end.

Limits of each client, TLS, an end that leaves no client hanging.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import UsageError
from rack_recipes.server.network import listening_sockets
from rack_recipes.server.network.clients import LARGEST_HEAD, Turnstile, check_head
from rack_recipes.server.network.guarded_protocol import check_all
from rack_recipes.server.network.listening_sockets import BACKLOG, Tls, tls_context

if TYPE_CHECKING:
    import uvicorn
GRACE = 5  # seconds for answers that are being made when the server is told to end


def check_packages(what: str) -> None:
    """Raise UsageError if the packages of a server are not installed; `what` needs them."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"{what} further packages: {error}: `pip install 'rack-recipes[server]'` brings them"
        ) from error


def uvicorn_config(app: Callable[..., Awaitable[None]], **more: Any) -> uvicorn.Config:
    """The configuration of a server of this ASGI application; `more` are further settings of uvicorn."""
    import uvicorn

    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_graceful_shutdown=GRACE,
        **more,
    )


Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handle_end_signals(handler: Handler) -> Iterator[None]:
    """Let a handler have both signals during the block. One that is ignored when the block begins stays ignored."""
    numbers = [number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def end_server(server: uvicorn.Server) -> None:
    """Let a server end; asked for a second time, it waits for nobody."""
    server.force_exit = server.should_exit
    server.should_exit = True


TICKS = 10  # of uvicorn, in a second


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, with TLS where it has some; `url` is its address on the network."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None
    url: str = ""


@contextmanager
def listening_on_network(address: str, tls: Tls | None) -> Iterator[Listener]:
    """A network socket that listens at HOST:PORT during the block. Raises UsageError."""
    context = tls_context(tls) if tls else None
    listener = listening_sockets.open_network_socket(address, tls)
    try:
        port = listener.getsockname()[1]
        yield Listener(listener, context, f"{'https' if tls else 'http'}://{address.rpartition(':')[0]}:{port}")
    finally:
        listener.close()


def count_request(scope: Any, turnstile: Turnstile) -> None:
    """Count a request. Raises Problem if it is one too many of its client, or if its head is too large."""
    turnstile.count(scope["client"])
    check_head(scope)


def connection_of(server: uvicorn.Server, config: uvicorn.Config) -> Any:
    """A new connection of a server; `config` names its application."""
    made: Any = config.http_protocol_class
    return made(config=config, server_state=server.server_state, app_state=server.lifespan.state)


def guarded_server(
    config: uvicorn.Config,
    network: Sequence[Listener],
    turnstile: Turnstile,
    started: Callable[[uvicorn.Server], Awaitable[None]],
    ending: Callable[[], None],
) -> uvicorn.Server:
    """A server that also listens on the network; its connections are those of `guarded_protocol`.

    `started` is awaited once it listens. `ending` is called first when it ends: it closes the streams of events, for
    which uvicorn would wait.
    """
    import uvicorn

    class Server(uvicorn.Server):
        """uvicorn's, with our sockets, limits and end."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Listen."""
            await super().startup(sockets)
            loop = asyncio.get_running_loop()
            for listener in network:
                secure: dict[str, Any] = {"ssl": listener.tls, "ssl_handshake_timeout": turnstile.limits.patience}
                made = await loop.create_server(
                    lambda: connection_of(self, config),
                    sock=listener.socket,
                    backlog=BACKLOG,
                    **(secure if listener.tls else {}),
                )
                self.servers.append(made)
            await started(self)

        async def on_tick(self, counter: int) -> bool:
            """Look after the connections once a second."""
            if counter % TICKS == 0:
                check_all(self.server_state.connections, turnstile, asyncio.get_running_loop().time())
            return await super().on_tick(counter)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """End: first the streams, then what is being answered."""
            ending()
            await super().shutdown(sockets)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Let SIGTERM and SIGINT end the server in good order, with exit code 0."""
            with handle_end_signals(lambda *_signal: end_server(self)):
                yield

    return Server(config)
