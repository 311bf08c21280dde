# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step may ask: it reads the run's keys, writes those of its host and of the run, sends, waits, locks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rack_recipes.run.server_address_and_pass import CONTROLLER
from rack_recipes.server.http.answers import answer
from rack_recipes.server.http.route_model import JSON, Call, RouteEntry
from rack_recipes.server.http.route_table import ROUTES
from rack_recipes.server.problems import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

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
