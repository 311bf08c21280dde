# SPDX-License-Identifier: GPL-3.0-or-later

"""The server process: its sockets, the application, and an end that leaves no client hanging."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.server.access.caller import Caller
from rack_recipes.server.access.identify import Identify
from rack_recipes.server.network import listening_sockets
from rack_recipes.server.network.clients import Limits, Turnstile, with_room
from rack_recipes.server.network.guarded_protocol import guarded_protocol
from rack_recipes.server.network.guarded_server import (
    Listener,
    connection_of,
    count_request,
    guarded_server,
    uvicorn_config,
)
from rack_recipes.server.served_context import Service
from rack_recipes.server.step_door import StepDoor

if TYPE_CHECKING:
    import uvicorn

LOOK = 0.3  # seconds between two looks whether a run goes on
OLDEST = 2  # the generation of objects that have outlived the most searches for garbage
LONG_SEARCH = 0.01  # seconds


def admission(identify: Identify, turnstile: Turnstile) -> Callable[[Any], Caller]:
    """What each request has to pass: it may not be one too many, nor too large, and its sender is known."""

    def admit(scope: object) -> Caller:
        count_request(scope, turnstile)
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
    import anyio  # Starlette needs it for answers in pieces

    followers: list[asyncio.Task[None]] = []

    async def started(server: uvicorn.Server) -> None:
        async with anyio.create_task_group():  # the first one imports a lot, and would hold up others
            pass
        loop = asyncio.get_running_loop()
        for_steps.load()
        server.servers.append(await loop.create_server(partial(connection_of, server, for_steps), sock=door.listener))
        followers.extend(map(loop.create_task, (service.commit.follow(), _end_with_run(server, door))))
        ready()

    def ending() -> None:
        service.listeners.close()
        for task in followers:
            task.cancel()

    return guarded_server(config, network, turnstile, started, ending)


async def _end_with_run(server: uvicorn.Server, door: StepDoor) -> None:
    while door.is_open():  # noqa: ASYNC110 - another process ends the run
        await asyncio.sleep(LOOK)
    server.should_exit = True


@contextmanager
def listening(path: Path, *, shared: bool = False) -> Iterator[Listener]:
    """A Unix socket that listens at this path during the block. Raises UsageError."""
    listener = listening_sockets.open_unix_socket(path, shared=shared)
    inode = path.lstat().st_ino
    try:
        yield Listener(listener)
    finally:
        listener.close()
        listening_sockets.remove_unix_socket(path, inode)


@contextmanager
def short_searches_for_garbage() -> Iterator[None]:
    """Let Python look for garbage among new objects only: with many keys it would stop all else for a second.

    A search that took long has met many objects that are no garbage. They are left out from then on.
    """
    began = 0.0

    def note(phase: str, about: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time()
        elif about["generation"] == OLDEST and time.thread_time() - began > LONG_SEARCH:
            gc.freeze()

    gc.freeze()
    gc.collect()  # nothing is left to search, and Python notes how little that is
    gc.callbacks.append(note)
    try:
        yield
    finally:
        gc.callbacks.remove(note)


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
    from rack_recipes.server.http.app import make_app

    turnstile = Turnstile(with_room(limits), time.monotonic)
    protocol = guarded_protocol(turnstile)
    config = uvicorn_config(make_app(service, admission(identify, turnstile)), http=protocol)
    for_steps = uvicorn_config(door.app(service), http=protocol)
    with short_searches_for_garbage():
        _server(config, service, network, turnstile, ready, door, for_steps).run([own.socket])
