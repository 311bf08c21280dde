# SPDX-License-Identifier: GPL-3.0-or-later

"""The way by which steps come to a server: a socket of their own, and the routes that a step may use."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.run import server_address_and_pass
from rack_recipes.run.run_folders import is_run_held
from rack_recipes.run.server_address_and_pass import CONTROLLER, HEADER, host_of
from rack_recipes.server.access.caller import AUTHOR, Caller
from rack_recipes.server.http.answers import answer
from rack_recipes.server.http.route_model import JSON, Call, RouteEntry
from rack_recipes.server.http.route_table import ROUTES
from rack_recipes.server.network import listening_sockets
from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Scope

    Handler = Callable[[Call], Awaitable[Response]]


READING = ("about", "readKey", "waitForHosts", "waitForMessages", "getLock", "giveLockBack", "reserve")
WRITING = ("setKey", "patchKey", "incrementKey", "sendMessage", "abort")  # these have the parameter host
RESERVED = ("lock.", "message.", "abort.")  # the beginnings of keys that have routes of their own


def _read(handler: Handler) -> Handler:
    async def read(call: Call) -> Response:
        return await handler(_named(call, f"{call.get('step', 'a step')}@{call.who}"))

    return read


def _written(handler: Handler) -> Handler:
    async def write(call: Call) -> Response:
        host = call.get("host", "")
        if host not in ("", call.who):
            detail = f"a step of {call.who or 'the run'} may not write for {host}"
            raise Problem("not-allowed", detail, "a step writes the keys of its own host, and those of the run")
        if str(call.get("key", "")).startswith(RESERVED):
            raise Problem("not-allowed", f"{call.params['key']} is not set as a key", "send, abort, or get the lock")
        step = call.get("step", "")
        return await handler(_named(call, step if host == call.who else f"{step}@{call.who}"))

    return write


def _named(call: Call, name: str) -> Call:
    """The same call by somebody of this name, which stands in the history."""
    return replace(call, caller=replace(call.caller, name=name))


async def _hide(call: Call) -> Response:
    """Hide texts from now on: the controller tells which secrets the run has. Only memory keeps them."""
    if call.who != CONTROLLER:
        raise Problem("not-allowed", "only the controller tells secrets", "set a key whose name is that of a secret")
    texts = call.body if isinstance(call.body, list) else ()
    call.service.live.hide([text for text in texts if isinstance(text, str)])
    return answer({})


def _of_steps(entry: RouteEntry) -> RouteEntry:
    wrap = _written if entry.name in WRITING else _read
    return replace(entry, handler=wrap(entry.handler))


HIDE = RouteEntry("PUT", "/secrets", "hide", "Hide texts from now on.", _hide, bodies={JSON: {"type": "array"}})
STEP_ROUTES: Sequence[RouteEntry] = (
    *(_of_steps(entry) for entry in ROUTES if entry.name in (*READING, *WRITING)),
    HIDE,
)


@dataclass(frozen=True, slots=True)
class StepDoor:
    """The socket for steps, which listens, and where it is. With `with_run` the server ends when the run does."""

    place: server_address_and_pass.StepSocket
    listener: socket.socket
    run_folder: Path
    with_run: bool = False

    def is_open(self) -> bool:
        """Whether the server goes on."""
        return not self.with_run or is_run_held(self.run_folder)

    def app(self, service: Service) -> ASGIApp:
        """The application for what comes through the door."""
        from rack_recipes.server.http.app import make_app

        return make_app(service, _identify_by(self.place.key_bytes), STEP_ROUTES)

    def tell(self) -> None:
        """Let the run know that steps may come."""
        server_address_and_pass.write_server_address(self.run_folder, self.place)


@contextmanager
def step_door(run_folder: Path, *, with_run: bool = False) -> Iterator[StepDoor]:
    """A door during the block; nothing is left of it. Raises UsageError."""
    place = server_address_and_pass.make_step_socket(run_folder)
    listener = listening_sockets.open_unix_socket(Path(place.path))
    try:
        yield StepDoor(place, listener, run_folder, with_run)
    finally:
        listener.close()
        server_address_and_pass.remove_server_address(run_folder, place)


def _identify_by(key: bytes) -> Callable[[Scope], Caller]:
    """How steps are known: the name of the caller is the host, empty for a step of the run."""

    def identify(scope: Scope) -> Caller:
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode("latin-1")
        host = host_of(key, given)
        if host is None:
            advice = "steps get their pass from the run; a pass of an earlier server counts no more"
            raise Problem("not-allowed", "this is no pass of a step of this run", advice)
        return Caller(host, AUTHOR)

    return identify
