# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a request: parameters by the table of routes, and a body of limited size.

Where a request is refused before its body was read, the body is read and thrown away: a client that is still sending
when the connection is closed does not see the answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST_VALUE
from rack_recipes.errors import nearest
from rack_recipes.server.http.route_model import Param, RouteEntry
from rack_recipes.server.problems import Problem

LARGEST_BODY = LARGEST_VALUE + 65536  # bytes: a value as large as a key can hold, and what stands around it
MOST_DISCARDED = 2 * LARGEST_BODY  # bytes of a body that is of no use
MOST_PARAMS = 50
BODILESS = ("GET", "HEAD")
SIGNS_OF_BODY = (b"content-length", b"transfer-encoding")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class GoneError(Exception):
    """The client has closed the connection before its request was complete."""


def params_of(entry: RouteEntry, scope: Scope) -> dict[str, Any]:
    """The parameters that were given, by name, as values. Raises Problem for an unknown, a wrong or a repeated one."""
    given = [*_in_query(entry, scope["query_string"])] if scope["query_string"] else []
    given += [("path", name, text) for name, text in scope["path_params"].items()]
    headers = dict(scope["headers"])
    for param in entry.params:
        if param.place == "header" and (value := headers.get(param.name.lower().encode())) is not None:
            given.append(("header", param.name, value.decode("latin-1").strip()))
    return _values(entry, given)


def _in_query(entry: RouteEntry, query: bytes) -> Iterator[tuple[str, str, str]]:
    known = [param.name for param in entry.params if param.place == "query"]
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMS)
    except ValueError as error:
        raise Problem("bad-request", f"the query cannot be read: {error}", "encode it as UTF-8 and percent") from None
    for name, text in pairs:
        if name not in known:
            near = nearest(name, known)
            hint = f" (did you mean {near!r}?)" if near else ""
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise Problem("bad-request", f"there is no query parameter {name[:80]!r}{hint}", f"{entry.path}: {there}")
        yield "query", name, text


def _values(entry: RouteEntry, given: list[tuple[str, str, str]]) -> dict[str, Any]:
    params: Mapping[tuple[str, str], Param] = {(param.place, param.name): param for param in entry.params}
    values: dict[str, Any] = {}
    for place, name, text in given:
        if name in values:
            raise Problem("bad-request", f"{place} parameter {name!r} is given twice", "give it once")
        values[name] = params[place, name].value(text)
    for param in entry.params:
        if param.required and param.name not in values:
            raise Problem("bad-request", f"{param.place} parameter {param.name!r} is missing", param.about)
    return values


class Incoming:
    """What comes of a request. It knows whether there is more of the body."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self._receive, self._read = receive, 0
        self.has_more = scope["method"] not in BODILESS or not headers.keys().isdisjoint(SIGNS_OF_BODY)
        self._is_asked_first = b"expect" in headers  # then the client waits, and sends no body that nobody reads

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next message of ASGI. Raises GoneError."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        self._read += len(message.get("body", b""))
        self.has_more = message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Read the rest of the body and throw it away, up to a limit."""
        while self.has_more and not self._is_asked_first and self._read <= MOST_DISCARDED:
            await self()


async def body_of(entry: RouteEntry, scope: Scope, incoming: Incoming) -> tuple[Any, str]:
    """The body as JSON data, and its media type. Raises Problem, and GoneError."""
    if not entry.bodies:
        return None, ""
    headers = dict(scope["headers"])
    media = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if media not in entry.bodies:
        raise Problem(
            "wrong-media-type",
            f"expected a body of {' or '.join(entry.bodies)}, got {media[:80] or 'none'}",
            f"send the header Content-Type: {next(iter(entry.bodies), '')}",
            headers={"connection": "close"},
        )
    return _parsed(await _read(headers, incoming)), media


async def _read(headers: Mapping[bytes, bytes], incoming: Incoming) -> bytes:
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:18]) > LARGEST_BODY:
        raise _too_large()
    parts, size = [], 0
    while incoming.has_more:
        part = (await incoming()).get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise _too_large()
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> Problem:
    return Problem(
        "too-large",
        f"a body may have {LARGEST_BODY} bytes",
        "keep large data as a file, and its digest under the key",
        headers={"connection": "close"},  # the rest of the body is not read
    )


def _parsed(body: bytes) -> Any:
    try:
        return _decoder.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Problem("bad-request", f"the body is no JSON: {error}", "send JSON in UTF-8") from None


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse)
