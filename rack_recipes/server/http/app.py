# SPDX-License-Identifier: GPL-3.0-or-later

"""The ASGI application: the table of routes, and what is the same for all of them."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import nearest
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http.answers import problem_answer
from rack_recipes.server.http.read_request import SIGNS_OF_BODY, GoneError, Incoming, body_of, params_of
from rack_recipes.server.http.route_model import KEY_NAME, Call, RouteEntry
from rack_recipes.server.http.route_table import ROUTES
from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

MOST_ASKED = "/ctx/{key}"

Identify = Callable[["Scope"], Caller]
"""Who sends a request, by its ASGI scope. Raises Problem for one who is not known."""


def make_app(service: Service, identify: Identify, routes: Sequence[RouteEntry] = ROUTES) -> ASGIApp:
    """The application that serves a context."""
    from starlette.routing import Route, Router

    by_path: dict[str, dict[str, RouteEntry]] = {}
    for entry in routes:
        by_path.setdefault(entry.path, {})[entry.method] = entry
    table = [Route(path, _Endpoint(service, identify, entries)) for path, entries in by_path.items()]
    table.sort(key=lambda route: route.path != MOST_ASKED)  # the first one that fits is taken
    return Router(table, redirect_slashes=False, default=_not_found(identify, tuple(by_path)))


class _Endpoint:
    """All methods of one path."""

    def __init__(self, service: Service, identify: Identify, entries: dict[str, RouteEntry]) -> None:
        self._service = service
        self._identify = identify
        self._entries = entries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(GoneError):
            response = await self._answer(scope, receive)
            await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        incoming = Incoming(scope, receive)
        try:
            return await self._call(scope, incoming)
        except Problem as problem:
            await incoming.discard()
            return problem_answer(problem)
        except GoneError:
            raise
        except Exception:
            sys.stderr.write(traceback.format_exc())
            return problem_answer(
                Problem("internal", "this request met a fault of the server", "report what it logged")
            )

    async def _call(self, scope: Scope, incoming: Incoming) -> Response:
        try:
            caller = self._identify(scope)
            entry = self._entry(scope)
            caller.check_role(entry.role, f"{entry.method} {entry.path}")
            params = self._allowed_params(entry, scope, caller)
        except Problem as problem:
            raise _without_body(problem, scope) from None
        body, media = await body_of(entry, scope, incoming)
        if entry.method == "GET":
            await self._service.commit.refresh()
        response = await entry.handler(Call(self._service, params, body, media, caller))
        await self._service.commit.settle()
        if entry.method == "GET":  # it may have waited; a write is answered, as it is in the journal
            caller.check_valid()
        return response

    def _entry(self, scope: Scope) -> RouteEntry:
        entry = self._entries.get(scope["method"])
        if entry is None:
            allowed = ", ".join(self._entries)
            detail, advice = f"{scope['path']} has no {scope['method']}", f"there are {allowed}"
            raise Problem("no-such-method", detail, advice, headers={"allow": allowed})
        return entry

    def _allowed_params(self, entry: RouteEntry, scope: Scope, caller: Caller) -> dict[str, Any]:
        """The parameters of a request, if its caller may see this run, and read the key that its path names."""
        caller.check_run(self._service.live.context.run_id)
        params = params_of(entry, scope)
        if entry.method == "GET" and any(param.kind is KEY_NAME and param.place == "path" for param in entry.params):
            caller.check_read(params["key"])
        return params


def _without_body(problem: Problem, scope: Scope) -> Problem:
    """The problem of a request whose body was not read: the connection ends, so that nobody takes it for a request."""
    has_body = any(name in SIGNS_OF_BODY for name, _value in scope["headers"])
    return replace(problem, headers={**problem.headers, "connection": "close"}) if has_body else problem


def _not_found(identify: Identify, paths: Sequence[str]) -> Any:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            identify(scope)
            near = nearest(scope["path"], paths)
            advice = f"did you mean {near}?" if near else "see /openapi.json"
            found = Problem("not-found", f"there is no path {scope['path'][:200]}", advice)
        except Problem as problem:
            found = problem
        with suppress(GoneError):
            await Incoming(scope, receive).discard()
        await problem_answer(_without_body(found, scope))(scope, receive, send)

    return answer
