# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages over HTTP: an ASGI application that finds the page of an address and answers with HTML or with JSON.

Every answer has a policy that lets a browser load nothing from elsewhere and run no script but ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, StoreError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.report.writers.json import value_of
from ansible_collections.rack.recipes.plugins.plugin_utils.server.problems import KINDS, Problem
from ansible_collections.rack.recipes.plugins.plugin_utils.visible_text import visible
from ansible_collections.rack.recipes.plugins.plugin_utils.web import frame
from ansible_collections.rack.recipes.plugins.plugin_utils.web.live_run import LiveRun
from ansible_collections.rack.recipes.plugins.plugin_utils.web.page_model import Asked, NoSuchPageError, Page
from ansible_collections.rack.recipes.plugins.plugin_utils.web.page_routes import ROUTES, PageRoute
from ansible_collections.rack.recipes.plugins.plugin_utils.web.page_source import PageSource
from ansible_collections.rack.recipes.plugins.plugin_utils.web.sign_in import LONGEST_FORM, Sessions

HTML, JSON, PROBLEM = "text/html; charset=utf-8", "application/json", "application/problem+json"
EVENTS = "text/event-stream"
PAUSE = 0.5  # seconds between two looks at a journal
SILENCE = 15.0  # seconds after which a comment shows that the connection lives
LONGEST_ADDRESS = 4096
SAFE = (
    ("content-security-policy", frame.POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
OF_ERRORS: Mapping[type[Exception], str] = {
    NoSuchPageError: "not-found",
    UsageError: "not-found",
    StoreError: "cannot-read",
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, media type, content and further headers."""

    status: int
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False)
class Site:
    """The application.

    `hosts` are the names that a browser may call this server by: others may be a trick (DNS rebinding). `sessions` is
    None where everybody may look.
    """

    source: PageSource
    hosts: frozenset[str]
    sessions: Sessions | None = None
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path, names = _split(scope)
        reply = self._refused(scope, path, headers)
        if reply is None and path == "/sign-in" and self.sessions:
            reply = await _sign_in(self.sessions, scope, receive)
        if reply is None and (live := self._events(names)):
            await self._follow(live, receive, send)
            return
        if reply is None:
            loop = asyncio.get_running_loop()
            reply = await loop.run_in_executor(None, self._answer, scope, path, names, headers)
        await _send(send, reply, with_body=scope["method"] != "HEAD")

    def _refused(self, scope: Scope, path: str, headers: Mapping[str, str]) -> Reply | None:
        """What refuses a request before anything is read for it; None for one that is answered."""
        name = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        if name not in self.hosts:
            return _plain(
                421, f"this server is not called {name[:80]!r}; it answers as {', '.join(sorted(self.hosts))}"
            )
        if scope["method"] not in ("GET", "HEAD") and path != "/sign-in":
            return _plain(405, "pages are only read: GET", ("allow", "GET, HEAD"))
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
            return _plain(414, "the address is too long")
        return None if path == "/sign-in" or path.startswith("/static/") else self._stranger(scope, headers)

    def _stranger(self, scope: Scope, headers: Mapping[str, str]) -> Reply | None:
        """What is told to one who has not shown the token; None for one who has."""
        if self.sessions is None or self.sessions.knows(headers.get("cookie", ""), headers.get("authorization", "")):
            return None
        if _wants_data(scope, headers):
            return _problem(Problem("not-allowed", "this server wants its token", "send Authorization: Bearer TOKEN"))
        return Reply(303, HTML, b"", (("location", "/sign-in"),))

    def _events(self, names: list[str]) -> LiveRun | None:
        is_events = len(names) == 3 and (names[0], names[2]) == ("runs", "events")
        return self.source.live(names[1]) if is_events else None

    async def _follow(self, live: LiveRun, receive: Receive, send: Send) -> None:
        """Send what a run is at whenever it has changed, until it ends, the browser leaves or this server ends."""
        await _begin(send, 200, EVENTS, (("cache-control", "no-store"),))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            async for piece in self._pieces(live):
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _pieces(self, live: LiveRun) -> AsyncIterator[bytes]:
        loop, last, silent = asyncio.get_running_loop(), b"", 0.0
        yield b"retry: 1000\n\n"
        while not self.ending.is_set():
            told = await loop.run_in_executor(None, live.told)
            if self.source.live(live.run_id) is None:
                yield b"event: end\ndata: {}\n\n"
                return
            text = _json({name: part for name, part in told.items() if name != "line"})
            if text != last:
                yield b"event: progress\ndata: " + _json(told) + b"\n\n"
                last, silent = text, 0.0
            elif silent >= SILENCE:
                yield b": no change\n\n"
                silent = 0.0
            silent += PAUSE
            try:
                await asyncio.wait_for(self.ending.wait(), PAUSE)
            except TimeoutError:
                continue

    def _answer(self, scope: Scope, path: str, names: list[str], headers: Mapping[str, str]) -> Reply:
        as_data = _wants_data(scope, headers)
        try:
            if names[:1] == ["static"]:
                return _file(names[1:])
            if path == "/":
                return Reply(303, HTML, b"", (("location", "/runs"),))
            return self._page(scope, path, names, as_data=as_data)
        except (RackError, Problem) as error:
            return self._problem_page(error, path, as_data=as_data)
        except Exception:
            sys.stderr.write(traceback.format_exc())
            return self._problem_page(
                Problem("internal", "this page met a fault of the server", "report what it logged"),
                path,
                as_data=as_data,
            )

    def _page(self, scope: Scope, path: str, names: list[str], *, as_data: bool) -> Reply:
        route, parts = _route(names)
        try:
            query = dict(parse_qsl(scope["query_string"].decode("ascii"), errors="strict", max_num_fields=30))
        except ValueError:
            raise Problem("bad-request", "the query cannot be read", "encode it as UTF-8 and percent") from None
        page = route.view(self.source, Asked(parts, query))
        no_store = (("cache-control", "no-store"),)
        if page.kind:
            return Reply(200, page.kind, page.body, (*no_store, *page.headers))
        if as_data:
            return Reply(200, JSON, _json(value_of(page.for_programs(), "text")), no_store)
        html = frame.render(page, _address(path, query), "you" if self.sessions else "")
        return Reply(200, HTML, html.encode("utf-8", "replace"), no_store)

    def _problem_page(self, error: Exception, path: str, *, as_data: bool) -> Reply:
        problem = error if isinstance(error, Problem) else Problem(_kind_of(error), str(error), "")
        if as_data:
            return _problem(problem)
        told = {"problem": {**problem.body(), "detail": visible(problem.detail)}}
        page = Page(KINDS[problem.kind].title, "problem.html.j2", told=told)
        html = frame.render(page, path, "you" if self.sessions else "")
        return Reply(problem.status, HTML, html.encode("utf-8", "replace"), (("cache-control", "no-store"),))


def _kind_of(error: Exception) -> str:
    return next((kind for kinds, kind in OF_ERRORS.items() if isinstance(error, kinds)), "internal")


def _split(scope: Scope) -> tuple[str, list[str]]:
    """The path, and the names in it; a name may have a / that is escaped."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1").partition("?")[0]
    return path, [unquote(part) for part in path.strip("/").split("/")] if path != "/" else []


def _route(names: list[str]) -> tuple[PageRoute, dict[str, str]]:
    """The route of an address, and the names in it. Raises NoSuchPageError."""
    for route in ROUTES:
        parts = route.names_in(names)
        if parts is not None:
            return route, parts
    raise NoSuchPageError(f"there is no page /{'/'.join(names)[:200]}")


def _address(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _wants_data(scope: Scope, headers: Mapping[str, str]) -> bool:
    is_named = b"format=json" in scope["query_string"].split(b"&")
    return is_named or headers.get("accept", "").startswith(JSON)


def _file(names: list[str]) -> Reply:
    found = frame.files().get(names[0]) if len(names) == 1 else None
    if found is None:
        raise NoSuchPageError(f"there is no file /static/{'/'.join(names)[:200]}")
    return Reply(200, found[0], found[1], (("cache-control", "private, max-age=86400"),))


async def _sign_in(sessions: Sessions, scope: Scope, receive: Receive) -> Reply:
    if scope["method"] != "POST":
        return _sign_in_page("", 200)
    body, more = b"", True
    while more and len(body) <= LONGEST_FORM:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    cookie = sessions.sign_in(body) if len(body) <= LONGEST_FORM else ""
    if not cookie:
        return _sign_in_page("This is not the token of this server. Its start line shows it.", 403)
    return Reply(303, HTML, b"", (("location", "/runs"), ("set-cookie", cookie), ("cache-control", "no-store")))


def _sign_in_page(wrong: str, status: int) -> Reply:
    html = frame.render(Page("Sign in", "sign_in.html.j2", told={"wrong": wrong}), "/sign-in")
    return Reply(status, HTML, html.encode(), (("cache-control", "no-store"),))


def _json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=True, default=str).encode()


def _problem(problem: Problem) -> Reply:
    return Reply(problem.status, PROBLEM, _json(problem.body()))


def _plain(status: int, text: str, *headers: tuple[str, str]) -> Reply:
    return Reply(status, "text/plain; charset=utf-8", f"{visible(text)}\n".encode(), headers)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _begin(send: Send, status: int, kind: str, headers: Iterable[tuple[str, str]]) -> None:
    all_headers = (*{**dict(SAFE), "content-type": kind, **dict(headers)}.items(),)
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in all_headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def _send(send: Send, reply: Reply, *, with_body: bool) -> None:
    await _begin(send, reply.status, reply.kind, (*reply.headers, ("content-length", str(len(reply.body)))))
    await send({"type": "http.response.body", "body": reply.body if with_body else b""})
