# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server process: its sockets, the application, and an end that leaves no client hanging."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.server import end_signals, unix_socket
from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.caller import Caller
from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.identify import Identify
from ansible_collections.rack.recipes.plugins.plugin_utils.server.network import network_socket
from ansible_collections.rack.recipes.plugins.plugin_utils.server.network.guarded_protocol import (
    check_all,
    guarded_protocol,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.server.network.limits import (
    Limits,
    Turnstile,
    check_head,
    with_room,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.server.network.network_socket import (
    BACKLOG,
    Tls,
    tls_context,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.server.service import Service
from ansible_collections.rack.recipes.plugins.plugin_utils.server.steps.step_door import StepDoor
from ansible_collections.rack.recipes.plugins.plugin_utils.server.uvicorn_config import uvicorn_config

if TYPE_CHECKING:
    import uvicorn

TICKS = 10  # of uvicorn, in a second
LOOK = 0.3  # seconds between two looks whether a run goes on


def check_packages() -> None:
    """Raise UsageError if the packages of the server are not installed."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the context server needs further packages: {error}: `pip install 'rack-recipes[server]'` brings them"
        ) from error


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, with TLS where it has some; `url` is its address on the network."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None
    url: str = ""


def admission(identify: Identify, turnstile: Turnstile) -> Callable[[Any], Caller]:
    """What each request has to pass: it may not be one too many, nor too large, and its sender is known."""

    def admit(scope: Any) -> Caller:
        turnstile.count(scope["client"])
        check_head(scope["headers"])
        return identify(scope)

    return admit


def _server(
    config: uvicorn.Config,
    service: Service,
    network: Sequence[Listener],
    turnstile: Turnstile,
    ready: Callable[[], None],
    door: StepDoor,
    for_steps: uvicorn.Config,
) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """A server that ends its event streams first: uvicorn would wait for them."""

        async def startup(self, sockets: Any = None) -> None:
            """Listen, and say so."""
            await super().startup(sockets)
            loop = asyncio.get_running_loop()
            for listener in network:
                secure: dict[str, Any] = {"ssl": listener.tls, "ssl_handshake_timeout": turnstile.limits.patience}
                made = await loop.create_server(
                    self._connection, sock=listener.socket, backlog=BACKLOG, **(secure if listener.tls else {})
                )
                self.servers.append(made)
            for_steps.load()
            self.servers.append(await loop.create_server(partial(self._connection, for_steps), sock=door.listener))
            self._followers = [*map(loop.create_task, (service.commit.follow(), _end_with_run(self, door)))]
            ready()

        def _connection(self, of: uvicorn.Config = config) -> Any:
            made: Any = of.http_protocol_class
            return made(config=of, server_state=self.server_state, app_state=self.lifespan.state)

        async def on_tick(self, counter: int) -> bool:
            """Look after the connections once a second."""
            if counter % TICKS == 0:
                check_all(self.server_state.connections, turnstile, asyncio.get_running_loop().time())
            return await super().on_tick(counter)

        async def shutdown(self, sockets: Any = None) -> None:
            """End: first the streams and those who wait, then what is being answered."""
            service.listeners.close()
            _cancel(self._followers)
            await super().shutdown(sockets)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Let SIGTERM and SIGINT end the server in good order, with exit code 0."""
            with end_signals.handled_by(lambda *_signal: end_signals.end(self)):
                yield

    return Server(config)


def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _end_with_run(server: uvicorn.Server, door: StepDoor) -> None:
    while door.is_open():  # noqa: ASYNC110 - another process ends the run
        await asyncio.sleep(LOOK)
    server.should_exit = True


@contextmanager
def listening(path: Path, *, shared: bool = False) -> Iterator[Listener]:
    """A Unix socket that listens at this path during the block. Raises UsageError."""
    listener = unix_socket.listen(path, shared=shared)
    inode = path.lstat().st_ino
    try:
        yield Listener(listener)
    finally:
        listener.close()
        unix_socket.remove(path, inode)


@contextmanager
def listening_on_network(address: str, tls: Tls | None) -> Iterator[Listener]:
    """A network socket that listens at HOST:PORT during the block. Raises UsageError."""
    context = tls_context(tls) if tls else None
    listener = network_socket.listen(address, tls)
    try:
        port = listener.getsockname()[1]
        yield Listener(listener, context, f"{'https' if tls else 'http'}://{address.rpartition(':')[0]}:{port}")
    finally:
        listener.close()


def serve(
    service: Service,
    own: Listener,
    network: Sequence[Listener],
    identify: Identify,
    limits: Limits,
    ready: Callable[[], None],
    door: StepDoor,
) -> None:
    """Serve until SIGTERM or SIGINT, on the Unix socket `own`, on the network, and steps of the run through `door`.

    `ready` is called once it answers.
    """
    from ansible_collections.rack.recipes.plugins.plugin_utils.server.http.app import make_app

    turnstile = Turnstile(with_room(limits), time.monotonic)
    protocol = guarded_protocol(turnstile)
    config = uvicorn_config(make_app(service, admission(identify, turnstile)), http=protocol)
    for_steps = uvicorn_config(door.app(service), http=protocol)
    _server(config, service, network, turnstile, ready, door, for_steps).run([own.socket])
